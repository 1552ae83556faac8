"""Hints on the images to be predicted: reads and checks them, and makes bounds for the masks from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, HintError, listing
from underpaint.core.paths import SomePaths, as_paths
from underpaint.data.whole import known_pixels
from underpaint.datasets.folder import DataFolder, own_classes
from underpaint.datasets.hints import given_hints, read_any_hints
from underpaint.hints.check import check_hints
from underpaint.hints.types import Hints
from underpaint.imagefiles.decode import MAX_PIXELS
from underpaint.imagefiles.images import image_size
from underpaint.predict.bounds import Bound, reordered
from underpaint.predict.targets import find_photographs

Known = SomePaths | Mapping[str, Hints]
"""Files or folders of hints in any known format, or hints by image name."""


@dataclass(frozen=True)
class KnownPhotographs:
    """Hints of images that are to be predicted. All hints are checked before the first mask is written.

    Args:
        data: The images, and the class table of the hints.
        hints: Hints by name of the image.
        numbers: (C,) the number of each class of the network in that table.
        notes: Remarks on hints that were left out, or that exclude no class.
    """

    data: DataFolder
    hints: Mapping[str, Hints]
    numbers: npt.NDArray[np.uint8]
    notes: tuple[str, ...]

    @classmethod
    def read(cls, source: Path, hints: Known, classes: ClassTable, *, lenient: bool = False) -> KnownPhotographs:
        """Read the hints of the images of a folder, a data set or a single file.

        Names and numbers of classes are those of the data set if the images belong to one, otherwise the network's.

        Args:
            source: As in `find_photographs`.
            hints: See `Known`.
            classes: Classes of the network.
            lenient: As in `underpaint.train`.

        Raises:
            DataError: The hints belong to none of these images, or the data set has other classes.
            HintError: Hints contradict each other, lie outside their image, or name a class that the network lacks.
            FormatError: A file does not have the structure of its format.
        """
        data = _photographs(source, classes)
        numbers = numbers_of(classes, data.classes, data.root)
        if isinstance(hints, Mapping):
            found, report = given_hints(hints, data, ignore_unknown=lenient, ignore_outside=lenient)
        else:
            given = as_paths(hints, "hints")
            found, report = read_any_hints(given, data, ignore_unknown=lenient, ignore_outside=lenient)
        known = cls(data, {name: hint for name, hint in found.items() if hint.states_anything()}, numbers, ())
        return replace(known, notes=(*report.notes(), *report.losses(), *known._checked()))

    def bound(self, name: str, size: tuple[int, int]) -> Bound | None:
        """The bound of an image of (H, W) pixels, or None if it has no hints."""
        hints = self.hints.get(name)
        if hints is None:
            return None
        if size[0] * size[1] > MAX_PIXELS:
            raise DataError(
                f"hints cannot be used for images of {size[1]} x {size[0]} pixels",
                where=self.data.images[name],
                accepted=f"at most {MAX_PIXELS:,} pixels",
                fix="predict it without --hints",
            )
        return Bound(reordered(known_pixels(hints, self.data.classes, size, self.data.labels(hints)), self.numbers))

    def _checked(self) -> list[str]:
        """Make every bound once, so that errors are reported before the prediction, and list those without effect."""
        idle, bounded = [], 0
        for name in self.hints:
            try:
                size = image_size(self.data.images[name])
            except DataError:
                continue  # left out of the prediction as well, with the reason
            found = self.bound(name, size)
            assert found is not None
            rules = bool((~found.candidates.sets[np.unique(found.candidates.index)]).any())
            bounded += rules
            idle += [] if rules else [name]
        said = [f"hints restrict the masks of {bounded} of {len(self.data.images)} images"]
        if idle:
            said.append(
                f"the hints of {len(idle)} images exclude no class: {listing(idle)}; tags exclude classes only "
                "if they state which classes are absent, as a table with a column of 1 and 0 for each class does"
            )
        return said


def bound_of(hints: object, classes: ClassTable, size: tuple[int, int]) -> Bound:
    """The bound of an image that is an array, from hints with the network's class names.

    Args:
        hints: The `Hints` of the image.
        classes: Classes of the network.
        size: (H, W) of the image.

    Raises:
        HintError: ``hints`` is not a `Hints`, contains a label file (which cannot be found without a folder), or is
            wrong as in `KnownPhotographs.read`.
        DataError: The hints were made for another size.
    """
    if not isinstance(hints, Hints):
        raise HintError(f"the hints are a {type(hints).__name__}", accepted="underpaint.Hints beside an array")
    where = f"hints of image {hints.image!r}"
    if hints.mask is not None:
        raise HintError(
            "the hints contain a label file, but the image is an array",
            where=where,
            fix="give the path of the image, or the labels as a Bitmap or Polygon",
        )
    check_hints(hints, classes, where)
    return Bound(known_pixels(hints, classes, size, None))


def numbers_of(own: ClassTable, table: ClassTable, where: Path) -> npt.NDArray[np.uint8]:
    """(C,) the number of each class of a run in a class table with the same names.

    Raises:
        DataError: The names differ.
    """
    if set(own.names) != set(table.names):
        raise DataError(
            f"the classes of the data set are {', '.join(table.names)}",
            where=where,
            accepted=f"those of the run: {', '.join(own.names)}",
            fix="use a data set with the classes that the run was trained for",
        )
    return np.array([table.names.index(name) for name in own.names], dtype=np.uint8)


def _photographs(source: Path, classes: ClassTable) -> DataFolder:
    found = find_photographs(source)
    root = source if source.is_dir() else source.parent
    listed = root / "classes.txt"
    if (root / "images").is_dir() and listed.is_file():
        classes = own_classes(listed, numbers_masks=(root / "masks").is_dir())
    return DataFolder(root, classes, found, {}, {})
