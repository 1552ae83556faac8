"""Recognising a data set: the folder data set, or a PASCAL VOC devkit."""

from __future__ import annotations

from pathlib import Path

from underpaint.core.classes import ClassTable, read_classes
from underpaint.core.errors import DataError
from underpaint.formats.folder import DataFolder, assemble, open_folder
from underpaint.formats.masks import voc_palette

VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The classes of PASCAL VOC 2007 to 2012 in the order of their mask values."""

VOC = ClassTable(VOC_NAMES, voc_palette(len(VOC_NAMES)), background=0)
"""The class table of a VOC devkit without a ``classes.txt`` of its own."""


def open_dataset(path: Path) -> DataFolder:
    """Open a data set in any layout that is known.

    The folder data set: ``images/`` and ``classes.txt``. The VOC devkit: ``JPEGImages/`` and ``ImageSets/``, in
    the folder itself or in its only sub-folder of that kind (``VOCdevkit/VOC2012``).

    Raises:
        DataError: neither layout; the message lists what was looked for.
    """
    if not path.is_dir():
        raise DataError("the data set's folder is missing", where=path)
    if (path / "images").is_dir():
        return open_folder(path)
    devkits = [folder for folder in (path, *_inside(path)) if _is_devkit(folder)]
    if len(devkits) == 1:
        return open_voc(devkits[0])
    if devkits:
        names = ", ".join(folder.name for folder in devkits)
        raise DataError(f"{len(devkits)} VOC devkits in one folder: {names}", where=path, fix="name one of them")
    here = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) or "nothing"
    raise DataError(
        f"no data set recognised; the folder holds {here}",
        where=path,
        accepted="images/ with classes.txt (masks/ and splits/ as well, where there are some); "
        "or a VOC devkit: JPEGImages/ with ImageSets/ or SegmentationClass/",
        fix="put the photographs into images/ and write the class names, one a line, to classes.txt",
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

    Masks are those of ``SegmentationClass``; where an image has none there, the one of ``SegmentationClassAug`` (the
    10,582 training images of the literature). A ``classes.txt`` beside ``JPEGImages`` takes the place of VOC's classes.

    Raises:
        DataError: as `open_folder`.
    """
    own = root / "classes.txt"
    classes = read_classes(own) if own.is_file() else VOC
    masks = [root / "SegmentationClass", root / "SegmentationClassAug"]
    return assemble(root, classes, root / "JPEGImages", masks, root / "ImageSets" / "Segmentation")
