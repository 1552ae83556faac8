"""Recognises a data set: the folder data set, a PASCAL VOC devkit, Cityscapes, or images with annotation files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from underpaint.annotations.cityscapes import CLASSES, PHOTOGRAPHS, frames, is_cityscapes
from underpaint.annotations.registry import accepted
from underpaint.core.errors import DataError, listing
from underpaint.core.paths import AnyPath, as_path, nearest_path
from underpaint.datasets.annotated import open_annotated, with_annotations
from underpaint.datasets.beside import open_beside, refuse_unexplained
from underpaint.datasets.folder import DataFolder, assemble, open_folder
from underpaint.datasets.unread import unread
from underpaint.imagefiles.images import find_images
from underpaint.imagefiles.numbering import CLASS_LISTS, VOC, class_list, table_of
from underpaint.imagefiles.walk import listed_once


@listed_once()
def open_dataset(path: AnyPath, *, rest: str | None = None, hints: Sequence[AnyPath] = ()) -> DataFolder:
    """Open a data set in any known layout.

    The layouts are: the folder data set with ``images/`` and ``classes.txt``; the VOC devkit with ``JPEGImages/`` and
    ``ImageSets/``, in the folder itself or in its only sub-folder of that kind (``VOCdevkit/VOC2012``); Cityscapes as
    it is downloaded, with ``leftImg8bit/`` and ``gtFine/``; and images with annotation files of a known format, which
    name the classes (see `open_annotated`).

    Args:
        path: The folder of the data set.
        rest: The class of pixels without an annotation, if the annotations name the classes.
        hints: Files or folders of hints for the images. They name the classes if nothing else does. If the folder has
            annotations of several formats, they are used instead of these.

    Returns:
        The data set: ``.classes``, ``.images`` and ``.masks`` (paths by image name), ``.split(name)``.

    Raises:
        DataError: The folder has no known layout. The message lists the known ones.

    Example:
        >>> data = underpaint.open_dataset("photographs")  # doctest: +SKIP
        >>> data.classes.names, len(data.split("train"))  # doctest: +SKIP
        (('background', 'cat'), 64)
    """
    return _opened(as_path(path, "path"), rest, [as_path(each, "hints") for each in hints])


def _opened(path: Path, rest: str | None, hints: Sequence[Path]) -> DataFolder:
    if not path.is_dir():
        raise DataError("the data set's folder is missing", where=path, fix=nearest_path(path))
    if (path / "images").is_dir() and (path / "classes.txt").is_file():
        return with_annotations(open_folder(path), hints)
    if (path / PHOTOGRAPHS).is_dir() and is_cityscapes(path):
        return with_annotations(open_cityscapes(path), hints)
    devkits = [folder for folder in (path, *_inside(path)) if _is_devkit(folder)]
    if len(devkits) == 1:
        return with_annotations(open_voc(devkits[0]), hints)
    if devkits:
        names = ", ".join(folder.name for folder in devkits)
        raise DataError(f"the folder has {len(devkits)} VOC devkits: {names}", where=path, fix="name one of them")
    masks = (path / "images").is_dir() and (path / "masks").is_dir()  # only a class list explains their numbers
    beside = None if masks else open_beside(path)
    if beside is not None:
        return beside
    annotated = open_annotated(path, rest, () if masks else hints)
    if annotated is not None:
        return annotated
    strange = "" if masks else unread(path)
    if (path / "images").is_dir() and not strange:
        return open_folder(path)
    refuse_unexplained(path)
    here = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) or "nothing"
    lacking = "the class list is missing" if (path / "images").is_dir() else "no data set recognised"
    raise DataError(
        f"{lacking}; {strange or f'the folder holds {here}'}",
        where=path,
        accepted="images/ with classes.txt (and masks/ and splits/ if there are any); "
        "or a VOC devkit: JPEGImages/ with ImageSets/ or SegmentationClass/; "
        f"or images with annotation files: {accepted()}",
        fix="put the images into images/ and write the class names, one per line, to classes.txt",
    )


def _inside(path: Path) -> list[Path]:
    """Folders one or two levels down that may be a devkit: ``VOC2012`` and ``VOCdevkit/VOC2012``."""
    return sorted([*path.glob("VOC*/"), *path.glob("VOC*/VOC*/")])


def _is_devkit(path: Path) -> bool:
    return (path / "JPEGImages").is_dir() and any(
        (path / name).is_dir() for name in ("ImageSets", "SegmentationClass", "SegmentationClassAug")
    )


def open_voc(root: Path) -> DataFolder:
    """Open one year of a VOC devkit, such as ``VOCdevkit/VOC2012``.

    Masks are those of ``SegmentationClass``, or else of ``SegmentationClassAug`` (the 10,582 training images of the
    literature). The classes are those of a list in the same folder as ``JPEGImages`` (`CLASS_LISTS`). Without a list
    they are VOC's, if the images have names like those of VOC.

    Raises:
        DataError: As `open_folder`, or there is no class list and the images are not VOC's.
    """
    listed = class_list(root)
    if listed is None:
        _refuse_others(root)
    classes = VOC if listed is None else table_of(listed).for_training(root)
    masks = [root / "SegmentationClass", root / "SegmentationClassAug"]
    return assemble(root, classes, root / "JPEGImages", masks, root / "ImageSets" / "Segmentation")


def open_cityscapes(root: Path) -> DataFolder:
    """Open Cityscapes as it was downloaded, with ``leftImg8bit/``.

    The masks are the ``*_labelTrainIds.png``. The splits are the folders train, val and so on.

    Raises:
        DataError: there are no images.
    """
    images = find_images(root / PHOTOGRAPHS)
    if not images:
        raise DataError("no images found", where=root / PHOTOGRAPHS)
    masks = {name: file for name, file in frames(root, ("labelTrainIds",)).items() if name in images}
    splits: dict[str, list[str]] = {}
    for name in images:
        splits.setdefault(name.split("/")[0], []).append(name)
    return DataFolder(root, CLASSES, images, masks, {split: tuple(names) for split, names in splits.items()})


_VOC_NAME = re.compile(r"(?:\d{4}_)?\d{6}")
"""The names of PASCAL VOC's images: ``2007_000032``, and ``000032`` in the year 2007."""


def _refuse_others(root: Path) -> None:
    """Refuse images that are not VOC's. Many tools use the folders of VOC with other classes in the masks."""
    others = [name for name in find_images(root / "JPEGImages") if _VOC_NAME.fullmatch(name) is None]
    if others:
        raise DataError(
            f"the folders are those of PASCAL VOC, but {len(others)} images are not VOC's: {listing(others)}",
            where=root,
            accepted=f"a class list in the same folder as JPEGImages/: {', '.join(CLASS_LISTS)}",
            fix="write classes.txt there, one name per line in the order of the numbers in the masks, from 0 on",
        )
