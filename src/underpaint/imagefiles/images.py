"""Photographs, with one rule for format, size limit, orientation and colour; masks are read beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from underpaint.core.errors import DataError
from underpaint.core.paths import nearest_path
from underpaint.imagefiles.decode import MAX_PIXELS, Pixels, opened, orientation_of
from underpaint.imagefiles.depth import Deep, deep_values, is_deep
from underpaint.imagefiles.masks import read_index_mask, write_index_mask
from underpaint.imagefiles.own import MASKS
from underpaint.imagefiles.refusals import refuse_unusual
from underpaint.imagefiles.walk import files_below
from underpaint.imagefiles.window import Window, own_window, through

__all__ = ["find_files", "find_images", "image_size", "read_index_mask", "read_rgb", "write_index_mask"]

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
"""Formats that are decoded. A short list, since every decoder is code that a hostile file can reach."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
"""File endings by which photographs are found; the content decides how they are decoded."""

TIFF_WIDTH, TIFF_HEIGHT = 256, 257
"""The tags of a TIFF file that hold its size."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_rgb(path: Path, *, window: Window | None = None, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Read a photograph upright, as RGB.

    EXIF orientation is applied here, once. Grey, palette and CMYK images are converted; an alpha channel is dropped, so
    that the stored colour counts; of an animation the first frame is taken. Photographs of 16 bits a channel are seen
    through a window of values (`through`).

    Args:
        path: A JPEG, PNG, BMP, TIFF or WebP file.
        window: Of photographs of 16 bits, the same for all of a data set; None for each one's own least and greatest
            value, to look at it alone. Those of 8 bits do not feel it.
        max_pixels: Limit of width times height, compared with the header before anything is decoded.

    Returns:
        (H, W, 3), 0..255.

    Raises:
        DataError: missing, no image, another format, truncated, too large, a stack of pages, or floating point.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        # Pillow turns TIFF files itself while it decodes them, and takes the tag away; of the others it keeps both.
        rotation = None if image.format == "TIFF" else _UPRIGHT.get(orientation_of(image))
        rgb = _seen(image, path, window, max_pixels).convert("RGB")
        return np.array(rgb.transpose(rotation) if rotation is not None else rgb, dtype=np.uint8)


def read_deep(path: Path, *, max_pixels: int = MAX_PIXELS) -> Deep | None:
    """(H, W) or (H, W, 3) values of a photograph of 16 bits a channel, as stored and not turned; None of any other.

    Raises:
        DataError: as `read_rgb`.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        return _deep(image, path, max_pixels) if is_deep(image) else None


def deep_photographs(paths: Iterable[Path]) -> Iterator[Deep]:
    """The values of those photographs that have 16 bits a channel. Others cost their header alone.

    Photographs that cannot be read are passed over: whoever reads them for their pixels says why.
    """
    for path in paths:
        try:
            values = read_deep(path)
        except DataError:
            continue
        if values is not None:
            yield values


def _seen(image: Image.Image, path: Path, window: Window | None, max_pixels: int) -> Image.Image:
    """With 8 bits a channel."""
    if not is_deep(image):
        return image
    values = _deep(image, path, max_pixels)
    return Image.fromarray(through(values, window or own_window(values)))


def _deep(image: Image.Image, path: Path, max_pixels: int) -> Deep:
    return deep_values(image, lambda: opened(path, FORMATS, max_pixels=max_pixels), path)


def image_size(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(H, W) of a photograph as `read_rgb` would return it, from the header alone.

    Raises:
        DataError: as `read_rgb`, as far as the header shows it.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        width, height = _stored_size(image)
        return (width, height) if orientation_of(image) in (5, 6, 7, 8) else (height, width)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """(W, H) before any turning. Pillow gives it, but for TIFF files, whose size it may have turned already."""
    if not isinstance(image, TiffImageFile):
        return image.size
    return int(image.tag_v2[TIFF_WIDTH]), int(image.tag_v2[TIFF_HEIGHT])


def find_images(folder: Path) -> dict[str, Path]:
    """All photographs below a folder, by name: the path relative to it, without suffix, with '/' between folders.

    Files and folders whose name starts with a dot are passed over (thumbnails, resource forks), and folders that
    underpaint made, which is said. Linked folders are followed. No photograph is opened.

    Raises:
        DataError: no such folder, or two files that differ in the suffix alone.
    """
    return find_files(folder, SUFFIXES, into=frozenset())


def find_files(
    folder: Path, suffixes: frozenset[str], *, into: Collection[str] = frozenset({MASKS})
) -> dict[str, Path]:
    """As `find_images`, for other endings (lower case, with the dot), and in predicted masks too (`files_below`)."""
    if not folder.is_dir():
        raise DataError("the folder is missing", where=folder, fix=nearest_path(folder))
    found: dict[str, Path] = {}
    doubles: list[str] = []
    for name, path in files_below(folder, suffixes, into=into):
        if name in found:
            doubles.append(f"{found[name].name} and {path.name}")
        found[name] = path
    if doubles:
        raise DataError(
            f"{len(doubles)} name(s) belong to two files: {', '.join(sorted(doubles)[:3])}",
            where=folder,
            fix="keep one file a name: hints and masks are matched by the name without suffix",
        )
    return dict(sorted(found.items()))
