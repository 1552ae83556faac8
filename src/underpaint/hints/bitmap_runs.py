"""Converts run-length encodings between rectangles of different sizes, without an array of the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from underpaint.core.errors import FormatError
from underpaint.hints.rasterise import bitmap_of, region_area
from underpaint.hints.types import Bitmap, Region

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Spans:
    """Runs of pixels in one row each: ``columns[i] <= column < stops[i]`` in ``rows[i]``, sorted from the top left."""

    rows: Numbers
    columns: Numbers
    stops: Numbers


def spans_of(runs: Sequence[int] | Numbers, width: int) -> Spans:
    """Return the spans of a rectangle that is ``width`` pixels wide.

    ``runs`` are alternating numbers of pixels outside and inside the area, outside first.
    """
    ends = np.cumsum(np.asarray(runs, np.int64))
    first, last = ends[:-1:2], ends[1::2]
    full = last > first
    first, last = first[full], last[full]
    top = first // width
    rows_each = (last - 1) // width - top + 1
    within = np.arange(rows_each.sum()) - np.repeat(np.cumsum(rows_each) - rows_each, rows_each)
    rows = np.repeat(top, rows_each) + within
    columns = np.maximum(np.repeat(first, rows_each) - rows * width, 0)
    stops = np.minimum(np.repeat(last, rows_each) - rows * width, width)
    return Spans(rows, columns, stops)


def runs_of_spans(spans: Spans, width: int, height: int) -> tuple[int, ...]:
    """Return the runs (outside first) of a rectangle that contains the spans. Spans that touch are joined."""
    first, last = spans.rows * width + spans.columns, spans.rows * width + spans.stops
    apart = first[1:] > last[:-1]
    opens, closes = np.append(True, apart)[: len(first)], np.append(apart, True)[: len(first)]
    edges = np.column_stack([first[opens], last[closes]]).ravel()
    runs = np.diff(edges, prepend=0, append=width * height)
    return tuple(runs[: len(runs) - (runs[-1] == 0)].tolist())


def tight_bitmap(name: str, runs: Sequence[int] | Numbers, width: int) -> Bitmap | None:
    """Return the bitmap of an image ``width`` pixels wide, in the smallest rectangle; None if no pixel is inside."""
    spans = spans_of(runs, width)
    return _cut(name, spans) if len(spans.rows) else None


def _cut(name: str, spans: Spans) -> Bitmap:
    """Return the bitmap in the smallest rectangle that contains the spans."""
    x, y = int(spans.columns.min()), int(spans.rows[0])
    width, height = int(spans.stops.max()) - x, int(spans.rows[-1]) - y + 1
    moved = Spans(spans.rows - y, spans.columns - x, spans.stops - x)
    return Bitmap(name, x, y, width, height, runs_of_spans(moved, width, height))


MAX_RUNS = 10_000_000
"""Largest number of spans of one mask: a tenth of the pixels of the largest image. They need 80 MB."""


def column_bitmap(name: str, runs: Numbers, size: tuple[int, int], where: object) -> Bitmap | None:
    """Do the same as `tight_bitmap` for runs that go down the columns of an image (H, W), as in COCO.

    Time and memory grow with the number of runs and of spans, not with the number of pixels. A span starts at a pixel
    inside whose left neighbour is outside, and ends before a pixel outside whose left neighbour is inside.

    Raises:
        FormatError: The mask has more than `MAX_RUNS` spans.
    """
    height, width = size
    edges = np.cumsum(runs)[: len(runs) // 2 * 2]  # starts and ends of the runs inside
    left = edges + height
    opened, closed = _only_first(edges, left), _only_first(left, edges)
    count = int((opened[:, 1] - opened[:, 0]).sum())
    if count > MAX_RUNS:
        raise FormatError(f"a mask of {count} rows of pixels", where=where, accepted=f"at most {MAX_RUNS}")
    starts, stops = _by_rows(opened, height, width), _by_rows(closed, height, width)
    if count == 0:
        return None
    rows = starts // width
    return _cut(name, Spans(rows, starts - rows * width, stops - rows * width))


def _only_first(one: Numbers, other: Numbers) -> Numbers:
    """Return the numbers that are in the first spans and not in the others, as (N, 2) spans ``start, stop``."""
    edges = np.concatenate([one, other])
    steps = np.tile([1, -1], len(edges) // 2)
    order = np.argsort(edges, kind="stable")
    in_one = np.cumsum(np.where(order < len(one), steps[order], 0))
    in_other = np.cumsum(np.where(order < len(one), 0, steps[order]))
    edges = edges[order]
    kept = np.flatnonzero((in_one[:-1] > 0) & (in_other[:-1] == 0) & (edges[1:] > edges[:-1]))
    return np.column_stack([edges[kept], edges[kept + 1]])


def _by_rows(spans: Numbers, height: int, width: int) -> Numbers:
    """Return the sorted positions ``row * width + column`` of pixels whose numbers count down the columns."""
    lengths = spans[:, 1] - spans[:, 0]
    numbers = np.repeat(spans[:, 0], lengths) + np.arange(lengths.sum())
    numbers -= np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.sort(numbers % height * width + numbers // height)


def whole_image_runs(bitmap: Bitmap, size: tuple[int, int]) -> tuple[int, ...]:
    """Return the runs of the whole image (H, W). Pixels of the bitmap outside the image are left out."""
    height, width = size
    if not (-bitmap.width < bitmap.x < width and -bitmap.height < bitmap.y < height):
        return (height * width,)
    spans = spans_of(bitmap.runs, bitmap.width)
    rows, columns, stops = spans.rows + bitmap.y, spans.columns + bitmap.x, spans.stops + bitmap.x
    kept = (rows >= 0) & (rows < height) & (columns < width) & (stops > 0)
    inside = Spans(rows[kept], np.maximum(columns[kept], 0), np.minimum(stops[kept], width))
    return runs_of_spans(inside, width, height)


def as_bitmap(region: Region, size: tuple[int, int]) -> Bitmap | None:
    """Return the pixels of a region in an image (H, W) as a bitmap; None if it covers no pixel.

    A bitmap that is completely inside the image is returned unchanged.
    """
    if isinstance(region, Bitmap):
        height, width = size
        inside = min(region.x, region.y) >= 0 and region.x + region.width <= width
        if inside and region.y + region.height <= height:
            return region
        return tight_bitmap(region.name, whole_image_runs(region, size), width)
    (rows, columns), area = region_area(region, size)
    return bitmap_of(region.name, area, x=columns.start, y=rows.start)
