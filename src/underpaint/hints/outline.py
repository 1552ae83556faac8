"""Turns bitmaps into polygons along the borders of the pixels. The polygons cover exactly the same pixels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from underpaint.hints.rasterise import Area, Pixels, bitmap_area
from underpaint.hints.types import Bitmap, Point, Polygon


def outline(bitmap: Bitmap) -> list[Polygon]:
    """Return one polygon with its holes for each connected part of a bitmap.

    Pixels are connected by their sides, not by their corners. Rings contain only the corners of the outline. An outer
    ring starts at its topmost corner, or at the leftmost of these.
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
    """Return the closed outlines of an area as x and y of their corners, sorted by their topmost, leftmost corner.

    A corner is a lattice point around which 1 or 3 of the 4 pixels are inside. If 2 pixels touch diagonally, there are
    two corners at one point. In every row of the lattice, and in every column, the 1st and 2nd corner are the ends of
    an edge, then the 3rd and 4th, and so on. Thus an outline goes alternately along rows and columns.

    Args:
        y: The rows of the corners, in ascending order.
        x: Their columns, in ascending order within a row.
        rank: For two corners at one point, 0 for the one that comes first in its column and 1 for the other.
    """
    column_order = np.lexsort((rank, y, x))
    vertical = np.empty(len(x), np.intp)
    vertical[column_order] = column_order.reshape(-1, 2)[:, ::-1].ravel()
    next_in_column, xs, ys = vertical.tolist(), x.tolist(), y.tolist()
    done = bytearray(len(xs))
    outlines = []
    for start in range(len(xs)):
        loop: list[tuple[int, int]] = []
        at = start
        while not done[at]:
            across = at ^ 1  # the other end of the edge along the row
            done[at] = done[across] = 1
            loop += [(xs[at], ys[at]), (xs[across], ys[across])]
            at = next_in_column[across]
        if loop:
            outlines.append(loop)
    return outlines


def corners(area: Area) -> tuple[Pixels, Pixels, Pixels, Pixels]:
    """Return the corners of an area row by row as (row, column, side, rank).

    Row and column are those of the pixel below the corner on the right. For two corners at one point, the first (side
    0) belongs to the edge on the left and the second (side 1) to the edge on the right. If the upper left pixel is
    inside, the left edge continues upwards; if the lower left pixel is inside, it continues downwards. Thus two pixels
    that touch only at a corner are not connected. ``rank`` is the argument of `loops`.
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
    """Return one ring for a polygon with holes, with a line of width 0 from the first point to each hole and back.

    By the even-odd rule the ring covers the same pixels as the polygon, because it follows each line twice.
    """
    first, ring = polygon.ring[0], list(polygon.ring)
    for hole in polygon.holes:
        ring += [first, *hole, hole[0]]
    return (*ring, first) if polygon.holes else polygon.ring
