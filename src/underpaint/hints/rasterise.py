"""Turns shapes into pixels. All parts of the package use this rule.

The pixel in column c and row r has its centre at (c + 0.5, r + 0.5). A click labels the pixel that contains it. A
scribble labels every pixel whose centre is within half the pen width of the polyline, and always the pixels that
contain its points. A box covers every pixel whose centre it contains. A polygon covers every pixel whose centre is
inside by the even-odd rule, applied to its ring and holes together. A bitmap covers its pixels. Pixels that strokes of
different classes label are contradictory and remain unknown. A region is above the regions before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from underpaint.core.classes import VOID, ClassTable
from underpaint.hints.pens import near_polyline, row_blocks
from underpaint.hints.types import Bitmap, Polygon, Region
from underpaint.hints.types import Point as Vertex

UNKNOWN = VOID
"""The value of a pixel without a hint in a seed map. Unknown never means background."""

Points = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.intp]
Mask = npt.NDArray[np.uint8]
Area = npt.NDArray[np.bool_]
Window = tuple[slice, slice]


def stroke_pixels(points: Points, width: float, size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """Return the rows and columns of the pixels that a stroke labels.

    Args:
        points: (P, 2) x and y of the vertices of the polyline; one vertex is a dot.
        width: The pen width in pixels; 0 labels only the pixels that contain a vertex.
        size: (H, W) of the image; pixels outside are left out.
    """
    vertices = np.floor(points)
    vertices = vertices[((vertices >= 0) & (vertices < [size[1], size[0]])).all(axis=1)].astype(np.intp)
    rows, columns = near_polyline(points, width / 2, size) if width > 0 else (vertices[:0, 1], vertices[:0, 0])
    return np.concatenate([rows, vertices[:, 1]]), np.concatenate([columns, vertices[:, 0]])


def box_slices(box: npt.NDArray[np.float64], size: tuple[int, int]) -> tuple[slice, slice]:
    """Return the row and column slices of the pixels of the image whose centres are in the box (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = np.ceil(box - 0.5).astype(int)
    rows = slice(max(y0, 0), max(min(y1, size[0]), 0))
    return rows, slice(max(x0, 0), max(min(x1, size[1]), 0))


def paint_seeds(strokes: Iterable[tuple[int, Points, float]], size: tuple[int, int], seeds: Mask | None = None) -> Mask:
    """Return the seed map (H, W) uint8 of clicks and scribbles: a class index, or `UNKNOWN`.

    Args:
        strokes: Triples of class index, (P, 2) points and pen width; a click is a stroke of one point and width 0.
        size: (H, W).
        seeds: A map that is changed in place, such as the labels of a partial mask; None starts an empty one.
    """
    if seeds is None:
        seeds = np.full(size, UNKNOWN, np.uint8)
    contradictory = np.zeros(size, bool)
    for label, points, width in strokes:
        rows, columns = stroke_pixels(points, width, size)
        before = seeds[rows, columns]
        differs = (before != UNKNOWN) & (before != label)
        contradictory[rows[differs], columns[differs]] = True
        seeds[rows, columns] = label
    seeds[contradictory] = UNKNOWN
    return seeds


def paint_regions(regions: Iterable[tuple[int, Region]], size: tuple[int, int], labels: Mask | None = None) -> Mask:
    """Return the label map (H, W) uint8 of filled areas: the class of the topmost region of a pixel, or `UNKNOWN`.

    Args:
        regions: Pairs of class index and region, from the lowest to the topmost. Pixels outside the image are left out.
            A region with the index `UNKNOWN` removes the labels below it.
        size: (H, W).
        labels: A map that is changed in place, such as the labels of a mask file; None starts an empty one.
    """
    if labels is None:
        labels = np.full(size, UNKNOWN, np.uint8)
    for label, region in regions:
        window, inside = region_area(region, size)
        labels[window][inside] = label
    return labels


def numbered(regions: Iterable[Region], classes: ClassTable, where: object = None) -> list[tuple[int, Region]]:
    """Return the regions with the indices of their classes for `paint_regions`; `UNKNOWN` for ignored regions.

    Raises:
        HintError: A class is not in the table.
    """
    return [(classes.index(one.name, where), one) for one in regions]


def covered_by(regions: Iterable[Region], size: tuple[int, int]) -> Area:
    """Return (H, W) bool, the pixels that at least one of the regions covers."""
    covered = np.zeros(size, bool)
    for region in regions:
        window, inside = region_area(region, size)
        covered[window] |= inside
    return covered


def region_area(region: Region, size: tuple[int, int]) -> tuple[Window, Area]:
    """Return row and column slices of an image (H, W) around a region, and the pixels in them that it covers."""
    if isinstance(region, Polygon):
        return _polygon_area([region.ring, *region.holes], size)
    rows = slice(min(max(region.y, 0), size[0]), min(max(region.y + region.height, 0), size[0]))
    columns = slice(min(max(region.x, 0), size[1]), min(max(region.x + region.width, 0), size[1]))
    top, left = rows.start - region.y, columns.start - region.x
    area = bitmap_area(region)[top : top + rows.stop - rows.start, left : left + columns.stop - columns.start]
    return (rows, columns), area


def bitmap_area(bitmap: Bitmap) -> Area:
    """Return (height, width) bool, the pixels of a bitmap in its own rectangle."""
    values = np.arange(len(bitmap.runs)) % 2 == 1
    return np.repeat(values, bitmap.runs).reshape(bitmap.height, bitmap.width)


def bitmap_of(name: str, area: Area, *, x: int = 0, y: int = 0) -> Bitmap | None:
    """Return the bitmap of the True pixels of ``area`` in the smallest rectangle; None if there are none.

    Args:
        name: The class.
        area: (H, W) bool.
        x: The column of the image at which ``area`` starts.
        y: The row of the image at which ``area`` starts.
    """
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    if len(rows) == 0:
        return None
    cut = area[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    runs = tuple(runs_of(cut.ravel()).tolist())
    return Bitmap(name, x + int(columns[0]), y + int(rows[0]), cut.shape[1], cut.shape[0], runs)


def runs_of(values: Area) -> npt.NDArray[np.int64]:
    """Return the lengths of the runs of a flat bool array, False first (length 0 if the array starts with True)."""
    edges = np.flatnonzero(np.diff(values)) + 1
    runs = np.diff(np.concatenate([[0], edges, [len(values)]]))
    return np.concatenate([[0], runs]) if len(values) and values[0] else runs


def _polygon_area(rings: Sequence[Sequence[Vertex]], size: tuple[int, int]) -> tuple[Window, Area]:
    """Fill by the even-odd rule: each edge swaps inside and outside for all centres of its row on its right."""
    start = np.array([point for ring in rings for point in ring], np.float64).reshape(-1, 2)
    stop = np.array([point for ring in rings for point in (*ring[1:], *ring[:1])], np.float64).reshape(-1, 2)
    if len(start) == 0:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), bool)
    corners = np.clip(np.array([start.min(axis=0), start.max(axis=0)]), 0, [size[1], size[0]])
    left, top = np.floor(corners[0]).astype(int).tolist()
    right, bottom = np.ceil(corners[1]).astype(int).tolist()
    turned = np.zeros((bottom - top) * (right - left + 1), np.uint8)
    for row, across in _crossings(start, stop, top, bottom):
        # The first centre c + 0.5 >= across; crossings on the right of the window are put into an extra column.
        column = np.clip(np.ceil(across - 0.5), left, right).astype(np.intp) - left
        # An overflow does no harm, because only the lowest bit of the count is used.
        np.add.at(turned, row * (right - left + 1) + column, np.uint8(1))
    inside = np.bitwise_xor.accumulate((turned & 1).reshape(bottom - top, right - left + 1), axis=1)[:, :-1]
    return (slice(top, bottom), slice(left, right)), inside.astype(bool)


def _crossings(start: Points, stop: Points, top: int, bottom: int) -> Iterator[tuple[Pixels, Points]]:
    """Yield the rows (counted from ``top``) and the x at which edges cross the centres of rows, block by block.

    An edge crosses the centres y with min(y0, y1) <= y < max(y0, y1), so that a vertex on a centre is counted once.
    """
    first = np.ceil(np.clip(np.minimum(start, stop)[:, 1], top, bottom) - 0.5).astype(np.intp)
    counts = np.ceil(np.clip(np.maximum(start, stop)[:, 1], top, bottom) - 0.5).astype(np.intp) - first
    for edge, row in row_blocks(first, counts):
        t = (row + 0.5 - start[edge, 1]) / (stop[edge, 1] - start[edge, 1])
        yield row - top, start[edge, 0] + t * (stop[edge, 0] - start[edge, 0])


def region_pixels(region: Region) -> int:
    """Return the number of pixels of a region. For a polygon it is the area, which differs by some border pixels."""
    if not isinstance(region, Polygon):
        return sum(region.runs[1::2])
    outer, *holes = (_ring_area(np.array(ring)) for ring in (region.ring, *region.holes))
    return max(round(outer - sum(holes)), 0)


def _ring_area(ring: npt.NDArray[np.float64]) -> float:
    """Return the area by the shoelace formula, relative to the first point, so that the closing terms are 0."""
    x, y = (ring - ring[0]).T
    return abs(float(x[:-1] @ y[1:] - x[1:] @ y[:-1])) / 2
