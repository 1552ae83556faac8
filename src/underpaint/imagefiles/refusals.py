"""Explains why a file cannot be read as an image, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from underpaint.core.errors import DataError

OTHERS = {
    (0, b"GIF8"): "a GIF picture",
    (0, b"\0\0\0\x0cjP  "): "a JPEG 2000 picture",
    (4, b"ftyp"): "a HEIC or AVIF picture, or a film",
    (0, b"%PDF"): "a PDF document",
    (0, b"<"): "an HTML, SVG or XML text",
    (0, b"PK\x03\x04"): "a ZIP archive",
    (128, b"DICM"): "a DICOM file",
    (0, b"\x89HDF"): "an HDF5 file",
    (0, b"8BPS"): "a Photoshop file",
    (0, b"\x76\x2f\x31\x01"): "an OpenEXR picture",
    (0, b"\x93NUMPY"): "a NumPy array",
    (0, b"\x1f\x8b"): "a gzip archive",
}
"""Kinds of files that are often found among images, recognised by bytes near the start of the file."""

LFS = b"version https://git-lfs"
"""The start of the text that Git leaves in the place of a large file that was not fetched."""

WIDTH, BITS, COMPRESSION, PHOTOMETRIC, BANDS, PLANES, KIND_OF_NUMBER = 256, 258, 259, 262, 277, 284, 339
"""Tags of a TIFF file. The kind of a number is 1 for unsigned, 2 for signed, 3 for floating point."""

COPY_AGAIN = "copy it again, or remove it"

DAMAGED = "cannot be decoded: the file is damaged, or cut off in a copy, or of a rare kind"
"""What is said of a file whose decoder fails, behind a word for the file. Decoders have no words for users."""

BAD_HEADER = ("a TIFF file with a damaged header", COPY_AGAIN)

FLOATING = "the pixels are floating point numbers"

SAVE = "save it as RGB or grey with 8 or 16 bits per channel"


def refuse_unusual(image: Image.Image, path: Path) -> None:
    """Refuse an opened image whose pixels are not those of a photograph.

    Raises:
        DataError: The file is a TIFF file with several pages, or has floating point numbers.
    """
    if image.mode == "F":
        raise DataError(FLOATING, where=path, accepted="8 or 16 bits per channel", fix=f"scale the values, and {SAVE}")
    # Not `n_frames`: its time grows with the square of the number of pages.
    if isinstance(image, TiffImageFile) and getattr(image, "is_animated", False):
        raise DataError("the TIFF file is a stack of pages", where=path, fix="save each page as its own file")


def unread(stream: BinaryIO, path: Path, formats: tuple[str, ...]) -> DataError:
    """The error for a file that no decoder accepts: what is wrong with it, and what to do.

    Args:
        stream: The opened file.
        path: Its name.
        formats: The formats that are decoded.
    """
    stream.seek(0)
    start = stream.read(132)
    if not start:
        return DataError("the file is empty", where=path, fix=COPY_AGAIN)
    if start.startswith(LFS):
        return DataError("a pointer of Git LFS instead of the image", where=path, fix="run: git lfs pull")
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        what, fix = _tiff(stream)
        return DataError(what, where=path, fix=fix)
    kinds = [kind for (place, mark), kind in OTHERS.items() if start.lstrip()[place:].startswith(mark)]
    what = f"{kinds[0]}, which cannot be read" if kinds else "not an image that can be read"
    return DataError(what, where=path, accepted=", ".join(formats), fix="convert it to PNG or TIFF, or remove it")


def _tiff(stream: BinaryIO) -> tuple[str, str]:
    """Why a TIFF file is refused, from the tags of its first page."""
    try:
        tags = tiff_tags(stream)
        if WIDTH not in tags:
            return BAD_HEADER
        bits, bands, number = tags.get(BITS, (1,)), int(tags.get(BANDS, 1)), tags.get(KIND_OF_NUMBER, (1,))
        photometric, compression = int(tags.get(PHOTOMETRIC, -1)), int(tags.get(COMPRESSION, 1))
        bits = bits if isinstance(bits, tuple) else (bits,)
        number = number if isinstance(number, tuple) else (number,)
    except Exception:  # a damaged directory raises anything
        return BAD_HEADER
    return (
        _numbers(bits, bands, number)
        or _layout(bits, bands, photometric, compression)
        or (f"a TIFF file with {bands} band(s) of {bits[0]} bits in an order that cannot be read", SAVE)
    )


def tiff_tags(stream: BinaryIO) -> ImageFileDirectory_v2:
    """The tags of the first page of a TIFF file. A damaged file raises any kind of exception."""
    stream.seek(0)
    head = stream.read(8)
    if head[2] == 43:  # BigTIFF
        head += stream.read(8)
    tags = ImageFileDirectory_v2(head)
    stream.seek(tags.next)
    tags.load(stream)
    return tags


def _numbers(bits: tuple[int, ...], bands: int, number: tuple[int, ...]) -> tuple[str, str] | None:
    if 3 in number:
        return FLOATING, f"scale the values, and {SAVE}"
    if bands not in (1, 3, 4) or (bands == 4 and bits[0] not in (8, 16)):
        return f"the picture has {bands} bands", f"choose one band or three, and {SAVE}"
    if max(bits) > 16:
        return f"the picture has {max(bits)} bits per channel", f"scale the values, and {SAVE}"
    return None


def _layout(bits: tuple[int, ...], bands: int, photometric: int, compression: int) -> tuple[str, str] | None:
    if bands >= 3 and photometric in (0, 1):
        return f"the picture has {bands} bands of {bits[0]} bits that are not marked as colour", SAVE
    if compression not in TiffImagePlugin.COMPRESSION_INFO:
        return f"the TIFF file is compressed in a way (number {compression}) that cannot be read", SAVE
    return None
