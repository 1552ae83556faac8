"""Finds the pixels near a polyline, row by row.

The time grows with the number of rows that the line crosses, not with the square of its width. The points within a
radius of a segment form a convex shape: two discs and the band between them. Such a shape covers one run of pixel
centres in every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.intp]

BLOCK = 1 << 18
"""Number of rows of segments that are processed together, with 40 MB of temporary arrays."""


def row_blocks(first: Pixels, counts: Pixels) -> Iterator[tuple[Pixels, Pixels]]:
    """Yield pairs (segment, row) in blocks of about `BLOCK`. Each segment crosses ``counts`` rows from ``first`` on."""
    ends = np.cumsum(counts)
    block = 0
    while block < len(counts):
        stop = int(np.searchsorted(ends, (ends[block - 1] if block else 0) + BLOCK, side="right"))
        chosen = slice(block, max(stop, block + 1))
        block = chosen.stop
        segment = np.repeat(np.arange(len(counts))[chosen], counts[chosen])
        yield segment, first[segment] + _count_up(counts[chosen])


def near_polyline(points: Numbers, radius: float, size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """Return rows and columns of the pixels of an image (H, W) with a centre within ``radius`` of a polyline (P, 2).

    A pixel may occur more than once. The memory depends on the size of the image and on `BLOCK`, not on the points.
    """
    start, stop = (points, points) if len(points) == 1 else (points[:-1], points[1:])
    limit = np.array([size[1], size[0]])
    near = ((np.maximum(start, stop) > -radius) & (np.minimum(start, stop) < limit + radius)).all(axis=1)
    start, stop = start[near], stop[near]
    top = _whole(np.ceil(np.minimum(start, stop)[:, 1] - radius - 0.5), size[0])
    bottom = _whole(np.floor(np.maximum(start, stop)[:, 1] + radius - 0.5) + 1, size[0])
    counts = np.maximum(bottom - top, 0)
    runs = (_run(start[segment], stop[segment], radius, row, size[1]) for segment, row in row_blocks(top, counts))
    if counts.sum() > BLOCK:
        return _marked(runs, size)
    row, first, last = next(runs, (np.empty(0, np.intp),) * 3)
    if (last - first).sum() > max(size[0] * size[1], BLOCK):
        return _marked([(row, first, last)], size)
    lengths = last - first
    return np.repeat(row, lengths), np.repeat(first, lengths) + _count_up(lengths)


Runs = tuple[Pixels, Pixels, Pixels]
"""Row, first column, and the column after the last one."""


def _marked(runs: Iterable[Runs], size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """Return the pixels of many runs, each pixel once.

    The ends of the runs are marked in an array whose cumulative sums are the number of runs over a pixel.
    """
    marks = np.zeros((size[0], size[1] + 1), np.int32)
    for row, first, last in runs:
        np.add.at(marks.reshape(-1), row * (size[1] + 1) + first, np.int32(1))
        np.add.at(marks.reshape(-1), row * (size[1] + 1) + last, np.int32(-1))
    rows, columns = np.nonzero(np.cumsum(marks, axis=1)[:, :-1])
    return rows, columns


def _run(start: Numbers, stop: Numbers, radius: float, row: Pixels, width: int) -> Runs:
    left, right = _extent(start, stop, radius, row.astype(np.float64) + 0.5)
    first = _whole(np.ceil(left - 0.5), width)
    return row, first, np.maximum(_whole(np.floor(right - 0.5) + 1, width), first)


def _whole(numbers: Numbers, limit: int) -> Pixels:
    return np.clip(numbers, 0, limit).astype(np.intp)


def _count_up(counts: Pixels) -> Pixels:
    """Return the numbers 0, 1, ... count - 1 for each count, one after the other."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _extent(start: Numbers, stop: Numbers, radius: float, y: Numbers) -> tuple[Numbers, Numbers]:
    """Return the smallest and the largest x at height y within ``radius`` of segments.

    If there is no such x, the first is larger than the second.
    """
    step = stop - start
    across = np.stack([-step[:, 1], step[:, 0]], axis=1)
    across *= (radius / np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-300))[:, None]
    left, right = np.full(len(y), np.inf), np.full(len(y), -np.inf)
    for end in (start, stop):
        square = radius * radius - (y - end[:, 1]) ** 2
        half = np.sqrt(np.maximum(square, 0))
        left = np.where(square >= 0, np.minimum(left, end[:, 0] - half), left)
        right = np.where(square >= 0, np.maximum(right, end[:, 0] + half), right)
    for side in (start + across, start - across):
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (y - side[:, 1]) / step[:, 1]
        crossed = (t >= 0) & (t <= 1)
        x = side[:, 0] + np.where(crossed, t, 0) * step[:, 0]
        left = np.where(crossed, np.minimum(left, x), left)
        right = np.where(crossed, np.maximum(right, x), right)
    return left, right
