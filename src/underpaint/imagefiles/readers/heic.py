"""HEIC and HEIF photographs of phones, read with pillow-heif as 8-bit RGB, upright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from underpaint.imagefiles.decode import MAX_BYTES
from underpaint.imagefiles.readers.base import (
    About,
    OpenImage,
    Whole,
    checked_about,
    explained,
    library,
    require_file,
)


@contextmanager
def open_heic(path: Path, *, header: bool = False) -> Iterator[OpenImage]:
    """Open a HEIC photograph.

    Args:
        path: The file.
        header: Read only the size.

    Raises:
        DataError: The file is damaged or too large, or the extra ``heic`` is not installed.
    """
    require_file(path)
    heif = library("pillow_heif", "heic", path, "a HEIC photograph")
    with explained(path, "the HEIC photograph"):
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        photograph = heif.open_heif(path, convert_hdr_to_8bit=True)
        width, height = photograph.size
        about = About("HEIC", (height, width), ("red", "green", "blue"), np.dtype(np.uint8), colour=True)
        checked_about(about, path)
        values = np.empty((0, 0, 3), np.uint8) if header else np.array(photograph.to_pillow().convert("RGB"))
        yield Whole(about, values)
