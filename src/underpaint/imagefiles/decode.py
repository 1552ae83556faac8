"""Opens image files: an allow-list of formats, a size limit that is checked before decoding, one typed error."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from underpaint.core.errors import DataError, UnderpaintError
from underpaint.core.regular import open_regular
from underpaint.imagefiles.refusals import COPY_AGAIN, DAMAGED, unread

Pixels = NDArray[np.uint8]

MAX_PIXELS = 100_000_000
"""The default limit of width times height, above every common camera. As RGB this is 300 MB. Pillow's own limit is
179 million pixels."""

MAX_SIDE = 1 << 18
"""The limit of one side, four times that of JPEG. Rows are decoded one by one, and 100 million rows of one pixel would
take minutes."""

MAX_BYTES = 2 << 30
"""The limit of a file's size. `MAX_PIXELS` pixels with four channels of 32 bits need fewer bytes, even without
compression."""

ORIENTATION = 0x0112
"""The number of the EXIF tag with the orientation of the camera."""


@contextmanager
def opened(
    path: Path, formats: tuple[str, ...], *, max_pixels: int, content: bytes | None = None
) -> Iterator[Image.Image]:
    """Open an image file without decoding it.

    Every error that Pillow raises inside the block becomes a `DataError` that names the file.

    With ``content`` these bytes are read instead; ``path`` is then the file that contains them.
    """
    try:
        with warnings.catch_warnings():
            # The limit below replaces Pillow's warning; other warnings concern metadata that is not used.
            warnings.simplefilter("ignore")
            with _stream(path, content) as stream, _image(stream, path, formats) as image:
                width, height = image.size
                if max(width, height) > MAX_SIDE:
                    what = f"the image has {width} x {height} pixels"
                    accepted = f"at most {MAX_SIDE:,} pixels a side"
                    raise DataError(what, where=path, accepted=accepted, fix="cut it into tiles")
                if width * height > max_pixels:
                    raise DataError(
                        f"the image has {width} x {height} pixels (width x height)",
                        where=path,
                        accepted=f"at most {max_pixels:,} pixels",
                        fix="cut it into tiles",
                    )
                yield image
    except (UnderpaintError, MemoryError):
        raise
    except _NotOpenedError as error:
        raise DataError(str(error), where=path, fix="replace or remove the file") from None
    except Image.DecompressionBombError as error:
        what = "the header states more pixels than any decoder accepts"
        raise DataError(what, where=path, accepted=f"at most {max_pixels:,} pixels", fix="cut it into tiles") from error
    except Exception as error:  # for damaged files decoders raise OSError, SyntaxError, ZeroDivisionError and more
        raise DataError(f"the image {DAMAGED}", where=path, fix=COPY_AGAIN) from error


def _image(stream: BinaryIO, path: Path, formats: tuple[str, ...]) -> Image.Image:
    try:
        return Image.open(stream, formats=formats)
    except UnidentifiedImageError:
        raise unread(stream, path, formats) from None


class _NotOpenedError(Exception):
    """The file could not be opened, in contrast to a file that was opened but cannot be decoded."""


def _stream(path: Path, content: bytes | None) -> BinaryIO:
    if content is not None:
        return io.BytesIO(content)
    try:
        return open_regular(path, max_bytes=MAX_BYTES)
    except FileNotFoundError:
        raise _NotOpenedError("the image file is missing") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise _NotOpenedError(f"the image file cannot be opened: {getattr(error, 'strerror', None) or error}") from None


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation 1..8 from the header; 1 if the tag is missing or damaged."""
    try:
        # Not image.getexif(): for a PNG without EXIF it would decode all pixels to search after them.
        value = Image.Image.getexif(image).get(ORIENTATION, 1)
    except Exception:  # damaged metadata must not make the image unreadable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
