"""Bitmaps to polygons along the borders of their pixels: the same pixels by the rasterisation rule, exactly."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from underpaint.hints.rasterise import Area, bitmap_area
from underpaint.hints.types import Bitmap, Point, Polygon

Corner = tuple[int, int]
"""(row, column) of a pixel's corner, or a unit step from one to the next."""


def outline(bitmap: Bitmap) -> list[Polygon]:
    """The polygons, with holes, of the areas of a bitmap; pixels that touch at a corner alone are two areas."""
    areas, _ = ndimage.label(bitmap_area(bitmap))
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(areas), start=1):
        rings = _rings(areas[rows, columns] == number, bitmap.x + columns.start, bitmap.y + rows.start)
        found.append(Polygon(bitmap.name, rings[0], tuple(rings[1:])))
    return found


def _rings(area: Area, x: int, y: int) -> list[tuple[Point, ...]]:
    """The rings of one connected area, the outer one, which has the topmost corner, first."""
    steps = _steps(area)
    loops = [_loop(steps, corner) for corner in sorted(steps) if corner in steps]
    return [tuple((float(x + column), float(y + row)) for row, column in loop) for loop in loops]


def _steps(area: Area) -> dict[Corner, set[Corner]]:
    """The unit steps along the borders from each corner, with the area on the right hand."""
    padded = np.pad(area, 1).astype(np.int8)
    across, down = np.diff(padded, axis=0)[:, 1:-1], np.diff(padded, axis=1)[1:-1]
    steps: dict[Corner, set[Corner]] = {}
    for here, start, step in (
        (across == 1, (0, 0), (0, 1)),  # a pixel's top side, to the right
        (across == -1, (0, 1), (0, -1)),  # its bottom side, to the left
        (down == -1, (0, 0), (1, 0)),  # its right side, down
        (down == 1, (1, 0), (-1, 0)),  # its left side, up
    ):
        for row, column in np.argwhere(here).tolist():
            steps.setdefault((row + start[0], column + start[1]), set()).add(step)
    return steps


def _loop(steps: dict[Corner, set[Corner]], start: Corner) -> list[Corner]:
    """The corners at which the loop from ``start`` turns; its steps are taken out of ``steps``.

    Where two ways are open, the right one stays with the same pixel, and so keeps apart what touches at a corner.
    """
    corner, step, turns = start, min(steps[start]), [start]
    while True:
        steps[corner].remove(step)
        if not steps[corner]:
            del steps[corner]
        corner = (corner[0] + step[0], corner[1] + step[1])
        if corner not in steps:  # every corner is left as often as it is reached, so this is the start
            return turns
        right, left = (step[1], -step[0]), (-step[1], step[0])
        turn = next(way for way in (right, step, left) if way in steps[corner])
        if turn != step:
            turns.append(corner)
        step = turn


def bridged(polygon: Polygon) -> tuple[Point, ...]:
    """One ring for a polygon and its holes: each hole is reached from the first point over a bridge of no width.

    A bridge is passed twice, so by the even-odd rule the ring covers the same pixels.
    """
    first, ring = polygon.ring[0], list(polygon.ring)
    for hole in polygon.holes:
        ring += [first, *hole, hole[0]]
    return (*ring, first) if polygon.holes else polygon.ring
