"""Turns bitmaps into polygons along the borders of their pixels, which cover exactly the same pixels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from underpaint.hints.rasterise import Area, Pixels, bitmap_area
from underpaint.hints.types import Bitmap, Point, Polygon


def outline(bitmap: Bitmap) -> list[Polygon]:
    """One polygon with its holes for each connected part of a bitmap, exact to the pixel.

    Pixels are connected by their sides, not by their corners. Rings hold the corners alone. An outer ring starts at its
    topmost, then leftmost corner.
    """
    area = np.pad(bitmap_area(bitmap), 1)
    parts, count = ndimage.label(area)
    rings: list[tuple[Point, ...]] = [()] * count
    holes: list[list[tuple[Point, ...]]] = [[] for _ in range(count)]
    y, x, _, rank = corners(area)
    for loop in loops(y, x, rank):
        column, row = loop[0]
        points = tuple((float(bitmap.x + x - 1), float(bitmap.y + y - 1)) for x, y in loop)
        if area[row, column]:  # the pixel below the first corner is inside: the outer ring
            rings[parts[row, column] - 1] = points
        else:
            holes[parts[row - 1, column] - 1].append(points)
    return [Polygon(bitmap.name, ring, tuple(inner)) for ring, inner in zip(rings, holes, strict=True)]


def loops(y: Pixels, x: Pixels, rank: Pixels) -> list[list[tuple[int, int]]]:
    """The closed outlines of an area, as x and y of their corners, topmost and leftmost first.

    A corner is a lattice point around which 1 or 3 of the 4 pixels are inside. Where 2 pixels meet diagonally there are
    two corners. In every row of the lattice the 1st and 2nd corner bound an edge, then the 3rd and 4th, and so on; in
    every column too. So an outline goes from corner to corner along rows and columns in turn.

    Args:
        y: The rows of the corners, in ascending order.
        x: Their columns, in ascending order within a row.
        rank: Of two corners in one place, 0 for the one that comes first in its column.
    """
    column_order = np.lexsort((rank, y, x))
    upright = np.empty(len(x), np.intp)
    upright[column_order] = column_order.reshape(-1, 2)[:, ::-1].ravel()
    beside, xs, ys = upright.tolist(), x.tolist(), y.tolist()
    seen = bytearray(len(xs))
    found = []
    for start in range(len(xs)):
        loop: list[tuple[int, int]] = []
        at = start
        while not seen[at]:
            across = at ^ 1  # the other end of the edge along the row
            seen[at] = seen[across] = 1
            loop += [(xs[at], ys[at]), (xs[across], ys[across])]
            at = beside[across]
        if loop:
            found.append(loop)
    return found


def corners(area: Area) -> tuple[Pixels, Pixels, Pixels, Pixels]:
    """The corners of an area, row by row, as (row, column, side, rank); both are those of the pixel below on the right.

    Of two corners in one place the first (side 0) belongs to the edge on the left and the second (side 1) to the edge
    on the right. If the upper left pixel is inside, the left edge goes on upwards; if the lower left pixel is inside,
    it goes on downwards. So two pixels that touch only at a corner are not joined. ``rank`` is that of `loops`.
    """
    upper_left, upper_right, lower_left, lower_right = area[:-1, :-1], area[:-1, 1:], area[1:, :-1], area[1:, 1:]
    odd = upper_left ^ upper_right ^ lower_left ^ lower_right
    diagonal = (upper_left == lower_right) & (upper_right == lower_left) & (upper_left != upper_right)
    row, column = np.nonzero(odd | diagonal)
    double = diagonal[row, column]
    repeats = np.where(double, 2, 1)
    second = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    turned = np.repeat(double & lower_left[row, column], repeats)
    return np.repeat(row, repeats) + 1, np.repeat(column, repeats) + 1, second, np.where(turned, 1 - second, second)


def bridged(polygon: Polygon) -> tuple[Point, ...]:
    """One ring for a polygon with its holes. A bridge of no width leads from the first point to each hole.

    The ring passes each bridge twice, so by the even-odd rule it covers the same pixels.
    """
    first, ring = polygon.ring[0], list(polygon.ring)
    for hole in polygon.holes:
        ring += [first, *hole, hole[0]]
    return (*ring, first) if polygon.holes else polygon.ring
