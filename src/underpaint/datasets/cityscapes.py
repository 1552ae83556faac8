"""Cityscapes as it is downloaded, as a data set."""

from __future__ import annotations

from pathlib import Path

from underpaint.annotations.cityscapes import CLASSES, PHOTOGRAPHS, frames
from underpaint.core.errors import DataError
from underpaint.datasets.folder import DataFolder
from underpaint.imagefiles.images import find_images


def open_cityscapes(root: Path) -> DataFolder:
    """Open the data set's folder, with ``leftImg8bit/``, as it was downloaded.

    Masks are the ``*_labelTrainIds.png``; the splits are the folders train, val and so on.

    Raises:
        DataError: no photographs.
    """
    images = find_images(root / PHOTOGRAPHS)
    if not images:
        raise DataError("no photographs found", where=root / PHOTOGRAPHS)
    masks = {name: file for name, file in frames(root, ("labelTrainIds",)).items() if name in images}
    splits: dict[str, list[str]] = {}
    for name in images:
        splits.setdefault(name.split("/")[0], []).append(name)
    return DataFolder(root, CLASSES, images, masks, {split: tuple(names) for split, names in splits.items()})
