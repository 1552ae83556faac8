"""Reads images by one rule for format, size limit, orientation and colour, and finds image files."""

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
"""The formats that are decoded. The list is short because a hostile file can reach the code of every decoder in it."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
"""The file endings by which image files are found. How a file is decoded depends on its content."""

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
    """Read an image as RGB, turned upright.

    EXIF orientation is applied here and nowhere else. Grey, palette and CMYK images are converted. An alpha channel is
    dropped, so the stored colour counts. Of an animation the first frame is read. Images with 16 bits a channel are
    reduced to 8 bits through a window of values (`through`).

    Args:
        path: A JPEG, PNG, BMP, TIFF or WebP file.
        window: The window for images of 16 bits, the same for all images of a data set. With None the window goes from
            the least to the greatest value of this image, which is good enough to look at one image. Images of 8 bits
            are not changed by it.
        max_pixels: The limit of width times height. The header is compared with it before anything is decoded.

    Returns:
        (H, W, 3), 0..255.

    Raises:
        DataError: the file is missing, no image, of another format, truncated, too large, a stack of pages, or holds
            floating point numbers.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        # Pillow turns TIFF files itself while it decodes them, and takes the tag away; of the others it keeps both.
        rotation = None if image.format == "TIFF" else _UPRIGHT.get(orientation_of(image))
        rgb = _seen(image, path, window, max_pixels).convert("RGB")
        return np.array(rgb.transpose(rotation) if rotation is not None else rgb, dtype=np.uint8)


def read_deep(path: Path, *, max_pixels: int = MAX_PIXELS) -> Deep | None:
    """The stored values of an image of 16 bits a channel, (H, W) or (H, W, 3) and not turned; None for any other image.

    Raises:
        DataError: as `read_rgb`.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        return _deep(image, path, max_pixels) if is_deep(image) else None


def deep_images(paths: Iterable[Path]) -> Iterator[Deep]:
    """The values of those images that have 16 bits a channel. Of the others only the header is read.

    Images that cannot be read are skipped here. The code that reads their pixels later reports the error.
    """
    for path in paths:
        try:
            values = read_deep(path)
        except DataError:
            continue
        if values is not None:
            yield values


def _seen(image: Image.Image, path: Path, window: Window | None, max_pixels: int) -> Image.Image:
    """The image with 8 bits a channel."""
    if not is_deep(image):
        return image
    values = _deep(image, path, max_pixels)
    return Image.fromarray(through(values, window or own_window(values)))


def _deep(image: Image.Image, path: Path, max_pixels: int) -> Deep:
    return deep_values(image, lambda: opened(path, FORMATS, max_pixels=max_pixels), path)


def image_size(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """The size (H, W) of an image as `read_rgb` returns it, read from the header alone.

    Raises:
        DataError: as `read_rgb`, as far as the header shows it.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        width, height = _stored_size(image)
        return (width, height) if orientation_of(image) in (5, 6, 7, 8) else (height, width)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """The size (W, H) before the image is turned. For TIFF files Pillow may have turned the size already."""
    if not isinstance(image, TiffImageFile):
        return image.size
    return int(image.tag_v2[TIFF_WIDTH]), int(image.tag_v2[TIFF_HEIGHT])


def find_images(folder: Path) -> dict[str, Path]:
    """All image files below a folder by name.

    A name is the path below the folder without suffix, with '/' between folders.

    Files and folders whose name starts with a dot (thumbnails, resource forks) are skipped. Folders that underpaint
    made are skipped with a message. Linked folders are followed. No image is opened.

    Raises:
        DataError: the folder is missing, or two files differ in the suffix alone.
    """
    return find_files(folder, SUFFIXES, into=frozenset())


def find_files(
    folder: Path, suffixes: frozenset[str], *, into: Collection[str] = frozenset({MASKS})
) -> dict[str, Path]:
    """Files by name as `find_images` finds them, for other endings (lower case, with the dot).

    Predicted masks are searched too (`files_below`).
    """
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
