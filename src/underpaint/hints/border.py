"""Cuts shapes at the border of their image. The part inside keeps its position and its pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from underpaint.hints.bitmap_runs import tight_bitmap, whole_image_runs
from underpaint.hints.rasterise import Points, bitmap_of, region_area, stroke_pixels
from underpaint.hints.types import IGNORED, Bitmap, Box, Point, Polygon, Region, Scribble

Size = tuple[int, int]

FARTHEST = 1e9
"""Larger coordinates are clipped to this value first, so that no sum overflows."""


def cut_box(box: Box, size: Size) -> Box | None:
    """Return the part of a box within an image (H, W), or None if there is none."""
    height, width = float(size[0]), float(size[1])
    cut = Box(box.name, max(box.x0, 0.0), max(box.y0, 0.0), min(box.x1, width), min(box.y1, height))
    return cut if cut.x0 < cut.x1 and cut.y0 < cut.y1 else None


def cut_region(region: Region, size: Size) -> Region | None:
    """Return the part of an area within an image (H, W), or None if it covers no pixel of the image."""
    if isinstance(region, Bitmap):
        return tight_bitmap(region.name, whole_image_runs(region, size), size[1])
    rings = [cut for ring in (region.ring, *region.holes) if len(cut := cut_ring(ring, size)) >= 3]
    if not rings:
        return None
    # The even-odd rule treats the ring and the holes alike, so the first of them may be the ring.
    polygon = Polygon(region.name, rings[0], tuple(rings[1:]))
    return polygon if region_area(polygon, size)[1].any() else None


def cut_ring(ring: Sequence[Point], size: Size) -> tuple[Point, ...]:
    """Cut a ring at the four borders of an image (H, W), one after the other (Sutherland and Hodgman, 1974).

    The ring may have any form and may cross itself. Parts outside the image are replaced by parts along the border.
    Since no centre of a pixel lies there, the ring still covers the same pixels of the image by the even-odd rule.
    """
    points = np.clip(np.array(ring, np.float64).reshape(-1, 2), -FARTHEST, FARTHEST)
    for axis, bound, sign in ((0, 0, 1), (0, size[1], -1), (1, 0, 1), (1, size[0], -1)):
        points = _cut_at(points, axis, float(bound), sign)
    return tuple((x, y) for x, y in points.tolist())


def _cut_at(points: Points, axis: int, bound: float, sign: int) -> Points:
    """Return the part of a ring with ``sign * (coordinate - bound) >= 0``, with new points where edges cross."""
    if len(points) == 0:
        return points
    following = np.roll(points, -1, axis=0)
    before, after = sign * (points[:, axis] - bound), sign * (following[:, axis] - bound)
    crosses = ((before < 0) & (after > 0)) | ((before > 0) & (after < 0))
    t = np.divide(before, before - after, out=np.zeros_like(before), where=crosses)
    meeting = points + t[:, None] * (following - points)
    meeting[:, axis] = bound
    both = np.stack([points, meeting], axis=1).reshape(-1, 2)
    return both[np.stack([before >= 0, crosses], axis=1).ravel()]


def cut_scribble(scribble: Scribble, size: Size) -> tuple[list[Scribble], Region | None]:
    """Return the pieces of a stroke whose line is within an image (H, W), and an ignored area for its other pixels.

    A line outside the image can label pixels inside, because the pen has a width. These pixels belong to no piece.
    """
    line = np.clip(np.array(scribble.points, np.float64), -FARTHEST, FARTHEST)
    pieces = [replace(scribble, points=_distinct(piece)) for piece in _pieces(line, size, 0.0)]
    labelled = np.zeros(size, bool)
    for near in _pieces(line, size, scribble.width):
        labelled[stroke_pixels(near, scribble.width, size)] = True
    for piece in pieces:
        labelled[stroke_pixels(np.array(piece.points, np.float64), scribble.width, size)] = False
    return pieces, bitmap_of(IGNORED, labelled)


def _pieces(line: Points, size: Size, margin: float) -> Iterator[Points]:
    """Yield the connected pieces (P, 2) of an open line within an image (H, W) that is enlarged by a margin."""
    ends = line if len(line) > 1 else np.concatenate([line, line])
    start, step = ends[:-1], np.diff(ends, axis=0)
    # Pixels are half open, so the last point within an image is just before its right or lower border.
    low, high = -margin, np.nextafter(np.array([size[1], size[0]]) + margin, 0)
    enter, leave = _inside(start, step, low, high)
    here = np.flatnonzero(enter <= leave)
    joined = (np.diff(here) == 1) & (leave[here[:-1]] == 1) & (enter[here[1:]] == 0)
    for run in np.split(here, np.flatnonzero(~joined) + 1):
        if len(run):
            first = start[run[:1]] + enter[run[:1], None] * step[run[:1]]
            yield np.clip(np.concatenate([first, start[run] + leave[run, None] * step[run]]), low, high)


def _inside(start: Points, step: Points, low: float, high: Points) -> tuple[Points, Points]:
    """Return the t at which ``start + t * step`` enters and leaves a rectangle, 0 <= t <= 1 (Liang and Barsky, 1984).

    If a segment is completely outside, the t of leaving is smaller than the t of entering.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = (low - start) / step, (high - start) / step
    between = (start >= low) & (start <= high)
    enter = np.where(step == 0, np.where(between, 0.0, 2.0), np.minimum(one, other)).max(axis=1)
    leave = np.where(step == 0, 1.0, np.maximum(one, other)).min(axis=1)
    return np.maximum(enter, 0.0), np.minimum(leave, 1.0)


def _distinct(piece: Points) -> tuple[Point, ...]:
    """Return the points of a piece without those that repeat the point before."""
    points: list[Point] = [(x, y) for x, y in piece.tolist()]
    return tuple(point for i, point in enumerate(points) if i == 0 or point != points[i - 1])
