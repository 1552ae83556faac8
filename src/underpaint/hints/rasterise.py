"""Geometry to pixels, by one rule that every part of the package shares.

The rule: the pixel in column c and row r has its centre at (c + 0.5, r + 0.5).
A click labels the pixel that contains it. A scribble labels every pixel whose centre lies within half its pen width of
the polyline, and always the pixels that contain its points. A box covers every pixel whose centre it contains.
Pixels on which hints of different classes meet are contradictory and stay unknown.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from underpaint.core.classes import VOID

UNKNOWN = VOID
"""Value of a pixel in a seed map that no hint labels. Unknown is never background."""

Points = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.intp]
Mask = npt.NDArray[np.uint8]


def stroke_pixels(points: Points, width: float, size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """Rows and columns of the pixels that a stroke labels.

    Args:
        points: (P, 2) x and y of the polyline's vertices; one vertex is a dot.
        width: Pen width in pixels; 0 labels only the pixels that contain a vertex.
        size: (H, W) of the image; what lies outside is cut off.
    """
    radius = width / 2
    limit = np.array([size[1], size[0]])
    seen = points if len(points) == 1 else _pieces(points)
    start, stop = (points, points) if len(points) == 1 else (seen[:-1], seen[1:])
    near = ((np.maximum(start, stop) > -radius) & (np.minimum(start, stop) < limit + radius)).all(axis=1)
    vertices = np.floor(points).astype(np.intp)
    pixels = np.concatenate([_around(start[near], (stop - start)[near], radius), vertices])
    inside = ((pixels >= 0) & (pixels < limit)).all(axis=1)
    return pixels[inside, 1], pixels[inside, 0]


PIECE = 8.0
"""Longest piece, in pixels, that a segment is cut into: it bounds the block of pixels that is looked at around each."""


def _pieces(points: Points) -> Points:
    """The same polyline with vertices at most `PIECE` apart in x and in y."""
    step = np.diff(points, axis=0)
    counts = np.maximum(np.ceil(np.abs(step).max(axis=1) / PIECE).astype(int), 1)
    segment = np.repeat(np.arange(len(step)), counts)
    within = np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts)
    vertices: Points = points[segment] + step[segment] * (within / counts[segment])[:, None]
    return np.concatenate([vertices, points[-1:]])


def _around(start: Points, step: Points, radius: float) -> Pixels:
    """(Q, 2) pixels, with repeats, whose centres lie within ``radius`` of a segment ``start + t step``, 0 <= t <= 1."""
    if len(start) == 0 or radius == 0:
        return np.empty((0, 2), np.intp)
    corner = np.floor(np.minimum(start, start + step) - radius)
    side = int(np.ceil(np.abs(step).max() + 2 * radius)) + 2
    offset = corner[:, :, None] + (np.arange(side) + 0.5) - start[:, :, None]  # (S, 2, side)
    x, y = offset[:, 0, None, :], offset[:, 1, :, None]  # blocks are (S, side, side)
    along, across = step[:, 0, None, None], step[:, 1, None, None]
    t = (x * along + y * across) / np.maximum(along * along + across * across, 1e-12)
    np.clip(t, 0.0, 1.0, out=t)
    close = (x - t * along) ** 2 + (y - t * across) ** 2 <= radius * radius
    piece, row, column = np.nonzero(close)
    return np.stack([column, row], axis=1) + corner.astype(np.intp)[piece]


def box_slices(box: npt.NDArray[np.float64], size: tuple[int, int]) -> tuple[slice, slice]:
    """Row and column slices of the pixels whose centres lie in the box (x0, y0, x1, y1), cut to the image."""
    x0, y0, x1, y1 = np.ceil(box - 0.5).astype(int)
    rows = slice(max(y0, 0), max(min(y1, size[0]), 0))
    return rows, slice(max(x0, 0), max(min(x1, size[1]), 0))


def paint_seeds(strokes: Iterable[tuple[int, Points, float]], size: tuple[int, int], seeds: Mask | None = None) -> Mask:
    """Seed map (H, W) uint8 of clicks and scribbles: class index, or `UNKNOWN`.

    Args:
        strokes: (class index, (P, 2) points, pen width); a click is a stroke of one point and width 0.
        size: (H, W).
        seeds: A map to paint on, changed in place, such as the labels of a partial mask.
    """
    if seeds is None:
        seeds = np.full(size, UNKNOWN, np.uint8)
    rows_clash: list[Pixels] = []
    columns_clash: list[Pixels] = []
    for label, points, width in strokes:
        rows, columns = stroke_pixels(points, width, size)
        held = seeds[rows, columns]
        clash = (held != UNKNOWN) & (held != label)
        rows_clash.append(rows[clash])
        columns_clash.append(columns[clash])
        seeds[rows, columns] = label
    if rows_clash:
        seeds[np.concatenate(rows_clash), np.concatenate(columns_clash)] = UNKNOWN
    return seeds
