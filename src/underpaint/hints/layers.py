"""Keeps areas visible: a part that was drawn before the whole must not vanish below it without a message.

Some formats state the order of areas. There the order is kept, and areas of which nothing is visible are counted. In
the other formats (COCO, labelme, YOLO, Label Studio, GeoJSON, VIA) the order in the file is the order of the work, and
an area that is completely covered by a later, larger one of another class is moved above it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from underpaint.hints.rasterise import region_area
from underpaint.hints.types import IGNORED, Bitmap, Hints, Polygon, Region
from underpaint.imagefiles.decode import MAX_PIXELS

RAISED = "areas that a larger one drawn later covered whole: put above it"
HIDDEN = "areas that one drawn later covers whole: nothing of them is seen"

Covers = dict[int, tuple[int, int]]

MAX_CHECKS = 10_000
"""How many pairs of areas are compared pixel by pixel in one image, about a second of work. Further ones keep their
order."""


def raised(hints: Hints) -> tuple[Hints, int]:
    """The hints with small areas above the larger ones that covered them completely, and how many areas were moved."""
    covers = _covers(hints, larger=True)
    moved = _others(hints.regions, covers)
    if not moved:
        return hints, 0

    def place(index: int) -> tuple[int, bool, int, int]:
        last, pixels = covers.get(index, (index, 0))
        return last, index in covers, -pixels, index

    regions = hints.regions
    others = (shape for shape in hints.shapes if not isinstance(shape, Polygon | Bitmap))
    return replace(hints, shapes=(*others, *(regions[i] for i in sorted(range(len(regions)), key=place)))), moved


def hidden(hints: Hints) -> int:
    """How many areas a later area of another class covers completely."""
    return _others(hints.regions, _covers(hints, larger=False))


def _others(regions: Sequence[Region], covers: Covers) -> int:
    """How many areas are covered by one of another class. Below one of its own class an area is still visible."""
    return sum(regions[index].name != regions[last].name for index, (last, _) in covers.items())


def seen(regions: Sequence[Region], size: tuple[int, int] | None) -> tuple[Region, ...]:
    """The regions without those that a later region of another class covers completely."""
    covers = _covers(Hints("", size=size, shapes=tuple(regions)), larger=False)
    gone = {index for index, (last, _) in covers.items() if regions[index].name != regions[last].name}
    return tuple(region for index, region in enumerate(regions) if index not in gone)


def _covers(hints: Hints, *, larger: bool) -> Covers:
    """For each covered area, by its index, the last later area that covers it completely, and its own number of pixels.

    An ignored area does not cover anything here, since it is meant to take away what lies below it.
    """
    regions = hints.regions
    if len(regions) < 2:
        return {}
    extents = np.array([_extent(region) for region in regions])
    size = _canvas(extents) if hints.size is None else hints.size
    if not 0 < size[0] * size[1] <= MAX_PIXELS or min(size) < 0:
        return {}  # a size that nothing can be painted in is refused where the hints meet their image
    extents = np.clip(extents, 0, [size[1], size[0]] * 2)
    found: Covers = {}
    checks = 0
    for above in range(len(regions) - 1, 0, -1):
        if regions[above].name == IGNORED:
            continue
        inside = (extents[:above, :2] >= extents[above, :2]) & (extents[:above, 2:] <= extents[above, 2:])
        below = [int(i) for i in np.flatnonzero(inside.all(axis=1)) if i not in found]
        below = below[: MAX_CHECKS - checks]
        checks += len(below)
        cover = np.zeros(size, bool) if below else None
        if cover is None:
            continue
        window, area = region_area(regions[above], size)
        cover[window] = area
        for i in below:
            place, pixels = region_area(regions[i], size)
            count = int(pixels.sum())
            if count and cover[place][pixels].all() and not (larger and count == area.sum()):
                found[i] = (above, count)
    return found


def _extent(region: Region) -> tuple[float, float, float, float]:
    if isinstance(region, Polygon):
        xs, ys = zip(*region.ring, strict=True)
        return min(xs), min(ys), max(xs), max(ys)
    return region.x, region.y, region.x + region.width, region.y + region.height


def _canvas(extents: np.ndarray) -> tuple[int, int]:
    """A size that holds all areas, for an image of unknown size."""
    right, bottom = (max(math.ceil(min(side, MAX_PIXELS)), 0) for side in extents[:, 2:].max(axis=0).tolist())
    return bottom, right
