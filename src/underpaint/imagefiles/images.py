"""Reads images as RGB by one rule for format, size, orientation and colour, and finds image files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from underpaint.core.errors import DataError, listing
from underpaint.core.paths import nearest_path
from underpaint.imagefiles.decode import MAX_PIXELS, Pixels
from underpaint.imagefiles.mask_names import lies_beside, masks_beside
from underpaint.imagefiles.masks import read_index_mask, write_index_mask
from underpaint.imagefiles.opening import ENDINGS, about_of, kind_of, slices_in
from underpaint.imagefiles.own import MASKS, log_label_images
from underpaint.imagefiles.photograph import photograph_rgb, photograph_size
from underpaint.imagefiles.rule import ReadingRule, picture, read_image
from underpaint.imagefiles.series import in_series_order
from underpaint.imagefiles.slices import STACKS, file_and_slice, slice_path
from underpaint.imagefiles.walk import files_below
from underpaint.imagefiles.window import Window

__all__ = [
    "find_files",
    "find_images",
    "image_size",
    "images_and_masks",
    "read_index_mask",
    "read_rgb",
    "write_index_mask",
]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", *ENDINGS})
"""The file endings by which image files are found. How a file is decoded depends on its content."""


def read_rgb(path: Path, *, window: Window | None = None, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Read an image as upright RGB for display.

    EXIF orientation is applied only here. Grey, palette and CMYK images are converted. An alpha channel is ignored. The
    first frame of an animation is read. Images of more than 8 bits are reduced to 8 bits with a window of values
    (`through`). If the bands of an image are not colours, the first three are shown (`picture`).

    Args:
        path: An image file, or a slice of one (`underpaint.imagefiles.slices`).
        window: The window for images of more than 8 bits, the same for all images of a data set. With None it extends
            between two percentiles of this image. Images of 8 bits are not changed.
        max_pixels: The limit of width times height, which is checked before anything is decoded.

    Returns:
        (H, W, 3) uint8, 0..255.

    Raises:
        DataError: The file is missing, not an image, truncated, too large, or its format is not supported or needs a
            library that is not installed.
    """
    file, number = file_and_slice(path)
    if number is None and not kind_of(file):
        return photograph_rgb(file, window=window, max_pixels=max_pixels)
    about = about_of(path)
    bands = () if about.colour or len(about.bands) in (1, 3) else about.bands[:3]
    return picture(read_image(path, ReadingRule(bands, None if window is None else (window,)), max_pixels=max_pixels))


def image_size(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """The size (H, W) of the result of `read_rgb`, from the header of the file.

    Raises:
        DataError: As `read_rgb`, except for errors that only decoding finds.
    """
    file, number = file_and_slice(path)
    if number is None and not kind_of(file):
        return photograph_size(file, max_pixels=max_pixels)
    return about_of(path).size


def find_images(folder: Path) -> dict[str, Path]:
    """All image files below a folder by name.

    A name is the path below the folder without suffix, with '/' between folders.

    Files and folders whose name starts with a dot (thumbnails, resource forks) are skipped. Folders that underpaint
    made are skipped with a message. Linked folders are followed. Each image of a file with several images (stacks of
    pages, volumes) has the name of the file and a number, ``stack/0000``. Images are in the order of their names, and
    slices of a DICOM series in the order of the volume (`series_in`). Label images in the folders of their images
    (``x_mask.png`` and ``x.png``) are skipped with a message (`masks_beside`).

    Raises:
        DataError: The folder is missing, or two files differ only in the suffix.
    """
    images, masks = images_and_masks(folder)
    if masks:
        log_label_images(folder, listing(sorted(path.name for path in masks.values())))
    return images


def images_and_masks(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """The images below a folder as in `find_images`, and the label images in their folders, both by their names."""
    files = find_files(folder, SUFFIXES, into=frozenset()).items()
    every = in_series_order({name: one for file in files for name, one in _images_in(*file)})
    masks = masks_beside(every)
    return {name: path for name, path in every.items() if name not in masks}, masks


def stream_images(folder: Path) -> Iterator[tuple[str, Path]]:
    """The images of `find_images` one by one, folder by folder, for more images than a list should hold.

    Names may occur twice, and slices of a DICOM series come in the order of their names.
    """
    for name, path in files_below(folder, SUFFIXES, into=frozenset()):
        if lies_beside(path, SUFFIXES):
            log_label_images(path.parent, path.name)
        else:
            yield from _images_in(name, path)


def _images_in(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """The image of a file, or each of a stack."""
    count = slices_in(path) if path.name.lower().endswith(STACKS) else 1
    if count <= 1:
        yield name, path
        return
    for number in range(count):
        one = slice_path(path, number)
        yield f"{name}/{one.name}", one


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
            fix="keep one file for each name: hints and masks are matched by the name without suffix. Move label "
            "images from the folders of their images to masks/",
        )
    return dict(sorted(found.items()))
