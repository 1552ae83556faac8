"""Opens data sets with label images in the folders of the photographs: medical sets (``x_mask.png``), Roboflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, listing
from underpaint.datasets.annotated import split_by_folders
from underpaint.datasets.folder import ALL, DataFolder, numbers_of, with_masks
from underpaint.datasets.pictures import photographs_and_masks
from underpaint.datasets.splits import read_splits
from underpaint.imagefiles.numbering import LISTS_BESIDE, class_list, table_of


def open_beside(root: Path) -> DataFolder | None:
    """Open photographs with label images in their folders; None for any other folder, or if there is no class list.

    The classes are those of the list in the folder of the data set, or else those of the lists in the folders of the
    label images. The splits are those of ``splits/``, or else those of the folders.

    Raises:
        DataError: A class list cannot be read, or one of several folders of label images has none.
    """
    images, masks = photographs_and_masks(root)
    classes = _classes(root, masks) if masks else None
    if classes is None:
        return None
    splits = read_splits(sorted((root / "splits").glob("*.txt")), images) or split_by_folders(images)
    data = DataFolder(root, classes, images, {}, splits or {ALL: tuple(images)})
    return with_masks(data, [(masks, numbers_of(masks, classes))])


def refuse_unexplained(root: Path) -> None:
    """Raise `DataError` if the folders of the photographs have label images, but there is no class list."""
    _, masks = photographs_and_masks(root)
    if masks:
        names = listing(sorted(path.name for path in masks.values()))
        raise DataError(
            f"{len(masks)} label images are in the folders of the photographs ({names}), and no class list states the "
            "meanings of their numbers",
            where=root,
            accepted=", ".join(LISTS_BESIDE),
            fix="write classes.txt: one class name per line, in the order of the numbers from 0 on",
        )


def _classes(root: Path, masks: Mapping[str, Path]) -> ClassTable | None:
    stated = class_list(root)
    if stated is not None:
        return table_of(stated).for_training(stated.source)
    lists = {folder: class_list(folder, LISTS_BESIDE) for folder in sorted({file.parent for file in masks.values()})}
    bare = [folder for folder, listed in lists.items() if listed is None]
    if len(bare) == len(lists):
        return None
    if bare:
        raise DataError(
            f"{len(bare)} of {len(lists)} folders of label images have no class list: {listing(map(str, bare))}",
            where=root,
            fix="copy the list of the others there, or write one classes.txt for all in the data set's folder",
        )
    names = dict.fromkeys(name for listed in lists.values() if listed is not None for name in listed.names())
    return ClassTable.of(list(names)).for_training(root)
