"""Connected regions of a mask, each of which a person would mark as one object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError
from underpaint.hints.types import Tags

Mask = NDArray[np.uint8]
Flags = NDArray[np.bool_]

MIN_SHARE = 0.001
"""Regions below this share of the image are not marked: 68 pixels of 320 x 213, or 14 x 13 pixels of 500 x 375. People
overlook such small regions. The largest region of a class is always marked."""


@dataclass(frozen=True, eq=False)
class Region:
    """A connected region of one class.

    Args:
        label: Class index.
        inside: (h, w) bool, the region within its bounding box.
        row: First row of the bounding box.
        column: First column of the bounding box.
        area: Number of pixels.
        marked: Whether people would mark it: it is not smaller than `MIN_SHARE`, or it is the largest region of its
            class.
    """

    label: int
    inside: Flags
    row: int
    column: int
    area: int
    marked: bool

    def depth(self) -> NDArray[np.float64]:
        """(h, w) distance in pixels from each pixel to the nearest pixel outside the region or the image."""
        padded: NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(self.inside, 1))
        return padded[1:-1, 1:-1]


def find_regions(mask: Mask, classes: ClassTable, *, image: str) -> list[Region]:
    """The 8-connected regions that people would mark, sorted by class and then from top to bottom, without void.

    Args:
        mask: (H, W) class indices, 255 for void.
        classes: The table of the indices.
        image: Name of the image, for messages.

    Raises:
        DataError: The mask is not an (H, W) uint8 array, or has an index outside the table.
    """
    return [region for region in all_regions(mask, classes, image=image) if region.marked]


def all_regions(mask: Mask, classes: ClassTable, *, image: str) -> list[Region]:
    """The regions of `find_regions`, and the small regions that people would not mark."""
    check_mask(mask, classes, image)
    return [region for label in present(mask) for region in _regions_of(mask == label, label)]


def _regions_of(inside: Flags, label: int) -> Iterator[Region]:
    numbers, _ = ndimage.label(inside, structure=np.ones((3, 3)))
    areas = np.bincount(numbers.ravel())[1:]
    for number, (rows, columns) in enumerate(ndimage.find_objects(numbers)):
        area = int(areas[number])
        marked = area >= MIN_SHARE * inside.size or number == areas.argmax()
        yield Region(label, numbers[rows, columns] == number + 1, rows.start, columns.start, area, marked)


def present(mask: Mask) -> list[int]:
    """The classes in a mask, in the order of their indices."""
    return [int(value) for value in np.unique(mask) if value != VOID]


def complete_tags(mask: Mask, classes: ClassTable) -> Tags | None:
    """Tags with the classes of a mask as present and all others as absent; None if every pixel is void."""
    names = frozenset(classes.names[label] for label in present(mask))
    return Tags.complete(names, classes.names) if names else None


def check_mask(mask: Mask, classes: ClassTable, image: str) -> None:
    """Raise `DataError` unless the mask is (H, W) uint8 with indices of the table."""
    if mask.ndim != 2 or mask.dtype != np.uint8 or mask.size == 0:
        what = f"the mask is an array of {mask.dtype} with shape {mask.shape}"
        raise DataError(what, where=image, accepted="(H, W) uint8")
    unknown = [value for value in present(mask) if value >= len(classes)]
    if unknown:
        raise DataError(
            f"the mask has number(s) outside the class table: {', '.join(map(str, unknown[:8]))}",
            where=image,
            accepted=f"0..{len(classes) - 1} and {VOID} for void",
        )
