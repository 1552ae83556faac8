"""The folder data set: ``images/``, ``masks/``, ``splits/*.txt`` and ``classes.txt``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from underpaint.core.classes import BACKGROUND, ClassTable, Numbering, read_classes
from underpaint.core.errors import DataError, listing, nearest
from underpaint.core.paths import nearest_path
from underpaint.datasets.pictures import masks_elsewhere
from underpaint.datasets.splits import read_splits
from underpaint.hints.rasterise import numbered, paint_regions
from underpaint.hints.types import Hints
from underpaint.imagefiles import masks as mask_files
from underpaint.imagefiles.decode import Pixels
from underpaint.imagefiles.images import SUFFIXES, find_files, find_images, image_size, images_and_masks
from underpaint.imagefiles.mask_names import unmarked
from underpaint.imagefiles.masks import LabelFile
from underpaint.imagefiles.naming import Names
from underpaint.imagefiles.numbering import numbering_beside

ALL = "all"
"""The only split of a data set that has no split lists."""

TRAIN = "train"
"""The split that is used for training if there are split lists."""


@dataclass(frozen=True)
class DataFolder:
    """The paths of the files of a data set. Images and masks are decoded only when they are needed.

    Args:
        root: The folder of the data set; `Hints.mask` is relative to it.
        classes: The class table.
        images: The image files by name (the path below the image folder, without suffix).
        masks: The mask files by name. They may be missing, because training needs only hints.
        splits: The names of each split, in the order of its list, without repetitions.
        annotations: Files or folders of annotations that were found in the data set.
        numberings: The meanings of the numbers in masks by image name, for masks with their own class list.
        areas: Hints whose areas are used as masks of images without a mask file; see `open_with_truth`.
    """

    root: Path
    classes: ClassTable
    images: Mapping[str, Path]
    masks: Mapping[str, Path]
    splits: Mapping[str, tuple[str, ...]]
    annotations: tuple[Path, ...] = ()
    numberings: Mapping[str, Numbering] = field(default_factory=dict)
    areas: Mapping[str, Hints] = field(default_factory=dict)

    def mask(self, name: str) -> LabelFile | DrawnMask:
        """The mask of an image: its file with the meanings of its numbers, or the areas that are drawn on the image."""
        if name not in self.masks and name in self.areas:
            return DrawnMask(self.areas[name], self.images[name])
        return self.label_file(name)

    def label_file(self, name: str) -> LabelFile:
        """The mask file of an image with the meanings of its numbers."""
        return LabelFile(self.masks[name], numbering=self.numberings.get(name))

    def mask_hints(self, name: str) -> Hints:
        """The mask of an image as a hint."""
        if name not in self.masks and name in self.areas:
            return self.areas[name]
        file = Path(os.path.relpath(self.masks[name], self.root)).as_posix()
        return Hints(name, mask=file, numbering=self.numberings.get(name), source="masks")

    def labels(self, hints: Hints) -> LabelFile | None:
        """The label file to which hints refer, with the meanings of its numbers; None if they do not refer to a file.

        In hints 255 is always unknown. In a mask of the data set with only the values 0 and 255, 255 may be the object.
        """
        if hints.mask is None:
            return None
        path, own = self.root / hints.mask, self.masks.get(hints.image)
        if path == own:
            return LabelFile(path, numbering=hints.numbering or self.numberings.get(hints.image))
        return LabelFile(path, stated=True, numbering=hints.numbering)

    def learning_split(self) -> str:
        """The split that is used for training by default: ``train``, or ``all`` if there are no split lists.

        Raises:
            DataError: There are split lists, but none is called ``train``.
        """
        if set(self.splits) == {ALL}:
            return ALL
        self.split(TRAIN)
        return TRAIN

    def split(self, name: str) -> tuple[str, ...]:
        """The image names of a split, or of several splits joined with '+', each name once.

        Raises:
            DataError: There is no such split, it is empty, or a name has no image.
        """
        if "+" in name and name not in self.splits:
            return tuple(dict.fromkeys(image for part in name.split("+") for image in self.split(part)))
        if name not in self.splits:
            fix = nearest(name, self.splits) or "write the names, one per line, to splits/NAME.txt"
            raise DataError(
                f"there is no split {name!r}", where=self.root, accepted=", ".join(sorted(self.splits)), fix=fix
            )
        names = self.splits[name]
        if not names:
            raise DataError(f"the split {name!r} is empty", where=self.root, fix="write at least one name to its list")
        missing = [image for image in names if image not in self.images]
        if missing:
            raise DataError(
                f"{len(missing)} of the {len(names)} names of split {name!r} have no image: {listing(missing)}",
                where=self.root,
                fix="correct the list or put the images back; names are paths below the image folder",
            )
        return names

    def elsewhere(self, missing: Collection[str]) -> str:
        """Describe files that may be the masks of these images; an empty text if there are none."""
        unmatched = {name: self.masks[name] for name in self.masks.keys() - self.images.keys()}
        return masks_elsewhere(self.root, missing, unmatched, self.images)

    def require_masks(self, names: Iterable[str]) -> None:
        """Raise `DataError` if an image of ``names`` has no mask."""
        wanted = list(names)
        missing = [name for name in wanted if name not in self.masks and name not in self.areas]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(wanted)} images have no mask: {listing(missing)}",
                where=self.root,
                fix=self.elsewhere(missing)
                or "put the masks into masks/ with the names of the images (PNG, BMP or TIFF), or choose another "
                "split; to make masks of annotated areas: underpaint convert DATA OUT --to masks --rest background",
            )


@dataclass(frozen=True)
class DrawnMask:
    """A mask that is drawn as areas; it is used like a `LabelFile`.

    Args:
        hints: The hints of the image, of which only the areas are used.
        path: The image file, for the size and for messages.
    """

    hints: Hints
    path: Path

    def read(self, classes: ClassTable, *, size: tuple[int, int] | None = None) -> Pixels:
        """(H, W) class indices of the table; 255 outside the areas and in ignored areas."""
        regions = numbered(self.hints.regions, classes, f"areas of image {self.hints.image!r}")
        return paint_regions(regions, size or image_size(self.path))


def open_folder(root: Path) -> DataFolder:
    """Open a folder data set. Without ``splits/`` all images are in the split ``all``; ``masks/`` may be missing.

    Raises:
        DataError: The folder, the class list or the images are missing, two files have the same name, or masks are in a
            lossy format.
    """
    if not root.is_dir():
        raise DataError("the data set's folder is missing", where=root, fix=nearest_path(root))
    classes = own_classes(root / "classes.txt", numbers_masks=(root / "masks").is_dir())
    return assemble(root, classes, root / "images", [root / "masks"], root / "splits")


def own_classes(path: Path, *, numbers_masks: bool = False) -> ClassTable:
    """Read the class list of a data set. If it has a single class, a background class is added after it.

    Annotations may use the numbers of the lines, so the number of the class must not change. If masks use the numbers,
    0 usually is the background, so the user has to complete the list.

    Raises:
        DataError: As `read_classes`, or the list has a single class and numbers masks.
    """
    table = read_classes(path)
    if len(table) > 1 or numbers_masks or table.names == (BACKGROUND,):
        return table.for_training(path)
    return ClassTable((*table.names, BACKGROUND), (*table.colours, (0, 0, 0)), 1)


def assemble(root: Path, classes: ClassTable, images: Path, masks: Iterable[Path], splits: Path) -> DataFolder:
    """Make a `DataFolder` from the folders of a layout.

    If an image has several masks, the first folder is used. Label images in the image folder come last.
    """
    found, beside = images_and_masks(images)
    if not found:
        raise DataError("no images found", where=images, accepted=", ".join(sorted(SUFFIXES)))
    lists = sorted(splits.glob("*.txt")) if splits.is_dir() else []
    by_split = read_splits(lists, found) or {ALL: tuple(found)}
    sources = [_in_folder(folder, classes) for folder in masks]
    return with_masks(DataFolder(root, classes, found, {}, by_split), [*sources, (beside, numbers_of(beside, classes))])


Labelled = tuple[Mapping[str, Path], Mapping[Path, Numbering]]
"""Label images by their names, and the meanings of the numbers in some of them."""


def _in_folder(folder: Path, classes: ClassTable) -> Labelled:
    files = _find_masks(folder)
    own = numbering_beside(folder, classes, outside=False) if files else None
    return files, {} if own is None else dict.fromkeys(files.values(), own)


def numbers_of(files: Mapping[str, Path], classes: ClassTable) -> dict[Path, Numbering]:
    """The meanings of the numbers in label images, from the class lists in their folders."""
    own = {folder: numbering_beside(folder, classes, outside=False) for folder in {f.parent for f in files.values()}}
    return {file: listed for file in files.values() if (listed := own[file.parent]) is not None}


def with_masks(data: DataFolder, sources: Iterable[Labelled]) -> DataFolder:
    """Add label images of several sources to a data set. If an image has two, that of the first source is used."""
    files: dict[str, Path] = {}
    listed: dict[Path, Numbering] = {}
    for found, numbers in sources:
        fresh = {name: file for name, file in respelled(found, data.images).items() if name not in files}
        files |= fresh
        listed |= {file: numbers[file] for file in fresh.values() if file in numbers}
    numberings = {name: listed[file] for name, file in files.items() if file in listed}
    return replace(data, masks=dict(sorted(files.items())), numberings=numberings)


def respelled(files: Mapping[str, Path], images: Mapping[str, Path]) -> dict[str, Path]:
    """Return label images by the names of their images.

    Names may differ in the encoding of their characters: macOS stores letters with accents as two characters. Such a
    name looks the same, but is a different text. They may also end in a mark (``x_mask``, see `unmarked`). Two files
    for one image keep their own names, and so does a file for an image that another file names exactly.
    """
    names, exact = Names(images), {name: file for name, file in files.items() if name in images}
    other = {
        name: names.respelled(name) or names.respelled(unmarked(name)) or name for name in files if name not in images
    }
    used = Counter(other.values())
    free = {name: new for name, new in other.items() if used[new] == 1 and new not in exact}
    return exact | {free.get(name, name): files[name] for name in other}


def _find_masks(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    found = find_files(folder, mask_files.SUFFIXES)
    if not found and find_images(folder):
        raise DataError(
            "the masks are in a lossy format, which changes class numbers at every border",
            where=folder,
            accepted=", ".join(mask_files.FORMATS),
        )
    return found
