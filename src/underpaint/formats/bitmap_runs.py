"""Runs of pixels moved from one rectangle to another, without the pixels between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from underpaint.hints.rasterise import bitmap_of, region_area
from underpaint.hints.types import Bitmap, Region

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Spans:
    """Pixels of one row each: ``columns[i] <= column < stops[i]`` of ``rows[i]``, from the top left on."""

    rows: Numbers
    columns: Numbers
    stops: Numbers


def spans_of(runs: Sequence[int] | Numbers, width: int) -> Spans:
    """The spans of a rectangle ``width`` pixels wide whose ``runs`` are outside and inside in turn, outside first."""
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
    """The runs, outside first, of a rectangle that holds the spans; those that touch are joined."""
    first, last = spans.rows * width + spans.columns, spans.rows * width + spans.stops
    apart = first[1:] > last[:-1]
    opens, closes = np.append(True, apart)[: len(first)], np.append(apart, True)[: len(first)]
    edges = np.column_stack([first[opens], last[closes]]).ravel()
    runs = np.diff(edges, prepend=0, append=width * height)
    return tuple(runs[: len(runs) - (runs[-1] == 0)].tolist())


def tight_bitmap(name: str, runs: Sequence[int] | Numbers, width: int) -> Bitmap | None:
    """The bitmap of an image ``width`` pixels wide, cut to the smallest rectangle; None where no pixel is inside."""
    spans = spans_of(runs, width)
    if len(spans.rows) == 0:
        return None
    x, y = int(spans.columns.min()), int(spans.rows[0])
    width, height = int(spans.stops.max()) - x, int(spans.rows[-1]) - y + 1
    moved = Spans(spans.rows - y, spans.columns - x, spans.stops - x)
    return Bitmap(name, x, y, width, height, runs_of_spans(moved, width, height))


def whole_image_runs(bitmap: Bitmap, size: tuple[int, int]) -> tuple[int, ...]:
    """The runs of the whole image (H, W); pixels of the bitmap outside it are cut off."""
    height, width = size
    if not (-bitmap.width < bitmap.x < width and -bitmap.height < bitmap.y < height):
        return (height * width,)
    spans = spans_of(bitmap.runs, bitmap.width)
    rows, columns, stops = spans.rows + bitmap.y, spans.columns + bitmap.x, spans.stops + bitmap.x
    seen = (rows >= 0) & (rows < height) & (columns < width) & (stops > 0)
    inside = Spans(rows[seen], np.maximum(columns[seen], 0), np.minimum(stops[seen], width))
    return runs_of_spans(inside, width, height)


def as_bitmap(region: Region, size: tuple[int, int]) -> Bitmap | None:
    """The pixels of a region on an image (H, W), by the rasterisation rule; None where it covers none.

    A bitmap within the image stays as it is.
    """
    if isinstance(region, Bitmap):
        height, width = size
        inside = min(region.x, region.y) >= 0 and region.x + region.width <= width
        if inside and region.y + region.height <= height:
            return region
        return tight_bitmap(region.name, whole_image_runs(region, size), width)
    (rows, columns), area = region_area(region, size)
    return bitmap_of(region.name, area, x=columns.start, y=rows.start)
