"""Files that hold several images: stacks of pages, volumes, films. Each slice is an image with a name of its own.

The path of a slice is that of its file with the number of the slice below it, ``scan.nii.gz/0012``, and its name is
``scan/0012``. So a slice goes wherever an image goes, and its mask lies in a folder with the name of the stack.
"""

from __future__ import annotations

from pathlib import Path

STACKS = (".tif", ".tiff", ".nii", ".nii.gz", ".dcm", ".dicom", ".zarr")
"""Endings of files that may hold slices."""

DIGITS = 4
"""Of the number of a slice, so that names are in the order of the slices up to 9,999 of them."""


def slice_path(file: Path, number: int) -> Path:
    """The path of a slice, counted from 0."""
    return file / f"{number:0{DIGITS}d}"


def file_and_slice(path: Path) -> tuple[Path, int | None]:
    """The file of an image and the number of the slice in it; None where the image is a whole file."""
    parent = path.parent
    number = path.name.isdecimal() and path.name.isascii() and len(path.name) >= DIGITS
    if number and parent.name.lower().endswith(STACKS) and (ending_of(parent.name) == ".zarr" or not parent.is_dir()):
        return parent, int(path.name)
    return path, None


def ending_of(name: str) -> str:
    """The ending of a file's name in lower case, with the dot, or nothing; ``.nii.gz`` is one."""
    if name.lower().endswith(".nii.gz"):
        return ".nii.gz"
    _, dot, ending = name.rpartition(".")
    return dot and f".{ending.lower()}"


def stem_of(name: str) -> str:
    """The name of a file without its ending."""
    return name[: len(name) - len(ending_of(name))]
