"""Refuses shapes that would take too long to paint, because they cover their image hundreds of times."""

from __future__ import annotations

import numpy as np

from underpaint.core.errors import HintError
from underpaint.hints.types import Bitmap, Hints, Region, Scribble
from underpaint.imagefiles.decode import MAX_PIXELS

MAX_COVER = 256
"""How many times the shapes of an image may cover it. Annotations of whole scenes cover their image fewer than ten
times."""

FREE = 1 << 24
"""So many pixels and rows are painted in a second. They are allowed whatever the size of the image."""

Size = tuple[int, int]


def refuse_excess(hints: Hints, size: Size, where: object) -> None:
    """Refuse an image that is too large, or whose strokes and areas would take too long to paint.

    Raises:
        HintError: the image has more than `MAX_PIXELS` pixels, or its shapes cover it more than `MAX_COVER` times.
    """
    pixels = size[0] * size[1]
    if pixels > MAX_PIXELS:
        what = f"the image {hints.image!r} is said to have more than {MAX_PIXELS} pixels"
        raise HintError(what, where=where, accepted=f"at most {MAX_PIXELS} pixels")
    most = FREE + MAX_COVER * pixels
    shapes = (*hints.scribbles, *hints.regions)
    if sum(pixels + points_of(shape) * size[0] for shape in shapes) <= most:
        return  # the usual case: no point has to be read
    work = sum(_work(shape, size) for shape in shapes)
    if work > most:
        points = sum(map(points_of, shapes))
        what = f"the {len(shapes)} strokes and areas of {hints.image!r}, of {points} points, cover it over and over"
        accepted = f"shapes that cover the image at most {MAX_COVER} times"
        raise HintError(what, where=where, accepted=accepted, fix="remove those that are given many times, or thin out")


def points_of(shape: Scribble | Region) -> int:
    """The number of points of a stroke or polygon, or of runs of a bitmap."""
    if isinstance(shape, Scribble):
        return len(shape.points)
    return len(shape.runs) if isinstance(shape, Bitmap) else sum(map(len, (shape.ring, *shape.holes)))


def _work(shape: Scribble | Region, size: Size) -> float:
    """The rows that the lines of a shape cross, plus the pixels that are read to fill it."""
    pixels = size[0] * size[1]
    if isinstance(shape, Bitmap):
        return min(shape.width * shape.height, pixels) + len(shape.runs)
    rings, pen = ((shape.points,), shape.width) if isinstance(shape, Scribble) else ((shape.ring, *shape.holes), 0.0)
    points = np.array([point for ring in rings for point in (*ring, ring[0])], np.float64)
    sides = np.abs(np.diff(points, axis=0, prepend=points[:1])) + pen + 2  # the jump to a next ring is counted too
    columns, rows = np.minimum(sides, [size[1], size[0]]).T
    if isinstance(shape, Scribble):
        return float(rows.sum() + min((rows * columns).sum(), pixels))
    return float(rows.sum() + np.clip(np.ptp(points, axis=0) + 2, 0, [size[1], size[0]]).prod())
