"""Separates photographs and label images in a data set without a fixed layout, in which both may be in one tree.

It also searches for masks with another name, in another folder or in another format, for images without a mask.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from underpaint.core.errors import DataError, listing
from underpaint.imagefiles.images import images_and_masks
from underpaint.imagefiles.mask_names import shared, unmarked
from underpaint.imagefiles.masks import FORMATS, SUFFIXES
from underpaint.imagefiles.own import log_label_images, own_folder

PHOTOGRAPHS = ("leftImg8bit", "images", "JPEGImages", "imgs", "img", "photos")
"""Names of folders with only images. A data set without one of them is searched completely."""

PICTURES = frozenset(
    {"masks", "gtFine", "gtCoarse", "SegmentationClass", "SegmentationObject", "annotations", "labels"}
)
"""Names of folders whose pictures are not images of the data set."""

LABELS = frozenset({"mask", "masks", "label", "labels", "gt", "groundtruth", "ground_truth", "seg", "segmentation"})
"""Names, in small letters, of folders whose pictures are label images if they have the names of images."""

Files = Mapping[str, Path]


def photographs_and_masks(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """The images of a data set by name, and its label images by the names of their images, perhaps with marks.

    Label images are in the folders of their images, or in folders of `LABELS` inside or next to ``images/``.
    """
    every, beside = images_and_masks(_folder(root))
    images = {name: path for name, path in every.items() if PICTURES.isdisjoint(name.split("/")[:-1])}
    found = dict(_in_folders(every, images))
    kept = {name: path for name, path in images.items() if path not in found}
    return kept, beside | {name: path for path, name in found.items()}


def photographs(root: Path) -> dict[str, Path]:
    """The images of a data set. A message states that its label images are not used.

    Raises:
        DataError: There are no images.
    """
    images, masks = photographs_and_masks(root)
    if not images:
        raise DataError("no images found", where=_folder(root), fix="put the images into images/")
    if masks:
        log_label_images(root, listing(sorted(path.name for path in masks.values())))
    return images


def _folder(root: Path) -> Path:
    return next((root / name for name in PHOTOGRAPHS if (root / name).is_dir()), root)


def _in_folders(every: Files, images: Files) -> Iterator[tuple[Path, str]]:
    """Pictures in folders of label images that have the names of images, with the names of these images."""
    for name, path in every.items():
        if path.suffix.lower() in SUFFIXES:
            moved = next((one for one in _moved(name) if unmarked(one) in images or one in images), None)
            if moved is not None:
                yield path, moved


def _moved(name: str) -> Iterator[str]:
    """The names of a picture if its folder of label images is replaced by ``images/``, or removed from the path."""
    *folders, last = name.split("/")
    place = next((i for i in reversed(range(len(folders))) if folders[i].lower() in LABELS), None)
    if place is not None:
        before, behind = folders[:place], folders[place + 1 :]
        yield "/".join([*before, "images", *behind, last])
        yield "/".join([*before, *behind, last])


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
