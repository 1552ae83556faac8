"""Searches for masks with another name, in another folder or in another format, for images without a mask."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from underpaint.core.errors import listing
from underpaint.imagefiles.mask_names import shared
from underpaint.imagefiles.masks import FORMATS, SUFFIXES
from underpaint.imagefiles.own import own_folder


def masks_elsewhere(
    root: Path, missing: Collection[str], unmatched: Mapping[str, Path], images: Mapping[str, Path]
) -> str:
    """Describe files that may be the masks of some images; an empty text if there are none.

    Args:
        root: The folder of the data set. The folders directly below it are searched.
        missing: Names of images without a mask.
        unmatched: Label images of the data set without an image, by name.
        images: The images of the data set.
    """
    text = _renamed(missing, unmatched)
    if not text and missing:
        with suppress(OSError):
            text = _in_other_folders(root, {Path(name).name for name in missing}, set(images.values()))
    return text


def _renamed(missing: Collection[str], unmatched: Mapping[str, Path]) -> str:
    """Describe the first unmatched label image if its name contains that of an image, as in mask_x.png."""
    for image, names in sorted(shared(unmatched, missing).items())[:1]:
        return f"{listing(sorted(names))} all look like the mask of {image}: join them into one label image"
    for name in sorted(unmatched)[:1]:
        near = [image for image in missing if name.startswith(image) or name.endswith(image)]
        if near:
            image = max(near, key=len)
            return f"{unmatched[name].name} looks like the mask of {image}: give masks the names of their images"
    return ""


def _in_other_folders(root: Path, stems: Collection[str], images: Collection[Path]) -> str:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder.name.startswith(".") or own_folder(folder):
            continue
        found = [file for file in sorted(folder.iterdir()) if file.stem in stems and file not in images]
        readable = [file for file in found if file.suffix.lower() in SUFFIXES]
        if readable and folder.name != "masks":
            content = f"{folder.name}/ holds {len(readable)} files with the names of these images"
            return f"{content}: if they are label images, give --hints {folder.name}, or rename the folder to masks"
        if found and not readable and folder.name == "masks":
            return f"masks/{found[0].name} has no format of label images, which are {', '.join(FORMATS)}"
    return ""
