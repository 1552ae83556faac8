"""Where the masks of images may be that have none: under another name, in another folder, or in another format."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from underpaint.core.errors import listing
from underpaint.imagefiles.mask_names import shared
from underpaint.imagefiles.masks import FORMATS, SUFFIXES
from underpaint.imagefiles.own import own_folder


def masks_elsewhere(
    root: Path, missing: Collection[str], strays: Mapping[str, Path], images: Mapping[str, Path]
) -> str:
    """What may be the masks of some images, in words; empty if nothing looks like it.

    Args:
        root: The data set's folder. The folders directly below it are searched.
        missing: Names of images without a mask.
        strays: Label images of the data set that belong to no image, by name.
        images: The images of the data set.
    """
    said = _renamed(missing, strays)
    if not said and missing:
        with suppress(OSError):
            said = _beside(root, {Path(name).name for name in missing}, set(images.values()))
    return said


def _renamed(missing: Collection[str], strays: Mapping[str, Path]) -> str:
    """The first stray, if its name is that of an image with something before or behind it, as in mask_x.png."""
    for image, names in sorted(shared(strays, missing).items())[:1]:
        return f"{listing(sorted(names))} all look like the mask of {image}: join them into one label image"
    for stray in sorted(strays)[:1]:
        near = [name for name in missing if stray.startswith(name) or stray.endswith(name)]
        if near:
            image = max(near, key=len)
            return f"{strays[stray].name} looks like the mask of {image}: give masks the names of their images"
    return ""


def _beside(root: Path, stems: Collection[str], images: Collection[Path]) -> str:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder.name.startswith(".") or own_folder(folder):
            continue
        found = [file for file in sorted(folder.iterdir()) if file.stem in stems and file not in images]
        readable = [file for file in found if file.suffix.lower() in SUFFIXES]
        if readable and folder.name != "masks":
            held = f"{folder.name}/ holds {len(readable)} files with the names of these images"
            return f"{held}: if they are label images, give --hints {folder.name}, or rename the folder to masks"
        if found and not readable and folder.name == "masks":
            return f"masks/{found[0].name} has no format of label images, which are {', '.join(FORMATS)}"
    return ""
