"""The order of areas: a small area must not disappear below a larger one without a message.

Some formats state the order of areas. There it is kept, and completely covered areas are counted. In the other formats
(COCO, labelme, YOLO, Label Studio, GeoJSON, VIA) the order is that in which the areas were drawn, and an area that a
later, larger one of another class covers completely is moved above it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from underpaint.hints.rasterise import region_area
from underpaint.hints.types import IGNORED, Bitmap, Hints, Polygon, Region
from underpaint.imagefiles.decode import MAX_PIXELS

RAISED = "areas that a larger, later area covered completely: they were moved above it"
HIDDEN = "areas that a later area covers completely: they have no visible pixel"

Covers = dict[int, tuple[int, int]]

MAX_CHECKS = 10_000
"""Largest number of pairs of areas that are compared in one image, in about a second. Others keep their order."""


def raised(hints: Hints) -> tuple[Hints, int]:
    """Move small areas above the larger ones that covered them completely. Also return how many were moved."""
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
    """Return the number of areas that a later area of another class covers completely."""
    return _others(hints.regions, _covers(hints, larger=False))


def _others(regions: Sequence[Region], covers: Covers) -> int:
    """Return the number of areas that are covered by one of another class; one of the same class hides nothing."""
    return sum(regions[index].name != regions[last].name for index, (last, _) in covers.items())


def visible(regions: Sequence[Region], size: tuple[int, int] | None) -> tuple[Region, ...]:
    """Return the regions without those that a later region of another class covers completely."""
    covers = _covers(Hints("", size=size, shapes=tuple(regions)), larger=False)
    covered = {index for index, (last, _) in covers.items() if regions[index].name != regions[last].name}
    return tuple(region for index, region in enumerate(regions) if index not in covered)


def _covers(hints: Hints, *, larger: bool) -> Covers:
    """Return, by the index of each covered area, the last area that covers it completely and its number of pixels.

    An ignored area is not counted as a cover, because it is meant to remove what lies below it.
    """
    regions = hints.regions
    if len(regions) < 2:
        return {}
    extents = np.array([_extent(region) for region in regions])
    size = _canvas(extents) if hints.size is None else hints.size
    if not 0 < size[0] * size[1] <= MAX_PIXELS or min(size) < 0:
        return {}  # such a size is refused later, when the hints are compared with their image
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
    """Return a size that contains all areas, for an image of unknown size."""
    right, bottom = (max(math.ceil(min(side, MAX_PIXELS)), 0) for side in extents[:, 2:].max(axis=0).tolist())
    return bottom, right
