"""Files with several images: stacks of pages, volumes, films. Each slice is an image with its own name.

The path of a slice is that of its file followed by the number of the slice, ``scan.nii.gz/0012``, and its name is
``scan/0012``. Thus a slice can be used like an image file, and its mask is in a folder with the name of the stack.
"""

from __future__ import annotations

from pathlib import Path

STACKS = (".tif", ".tiff", ".nii", ".nii.gz", ".dcm", ".dicom", ".zarr")
"""Endings of files that may have slices."""

DIGITS = 4
"""Number of digits in the name of a slice, so that up to 10,000 names are in the order of the slices."""


def slice_path(file: Path, number: int) -> Path:
    """The path of a slice, counted from 0."""
    return file / f"{number:0{DIGITS}d}"


def file_and_slice(path: Path) -> tuple[Path, int | None]:
    """The file of an image and the number of the slice in it; None if the image is the whole file."""
    parent = path.parent
    number = path.name.isdecimal() and path.name.isascii() and len(path.name) >= DIGITS
    if number and parent.name.lower().endswith(STACKS) and (ending_of(parent.name) == ".zarr" or not parent.is_dir()):
        return parent, int(path.name)
    return path, None


def ending_of(name: str) -> str:
    """The ending of a file name in lower case, with the dot, or an empty text; ``.nii.gz`` is one ending."""
    if name.lower().endswith(".nii.gz"):
        return ".nii.gz"
    _, dot, ending = name.rpartition(".")
    return dot and f".{ending.lower()}"


def stem_of(name: str) -> str:
    """The name of a file without its ending."""
    return name[: len(name) - len(ending_of(name))]
