"""Checks the hints of all formats: valid values, class names, contradictions, and the time to rasterise them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.hints.ignore import ignore_where
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Polygon, Region, Scribble, Shape, Tags
from underpaint.imagefiles.decode import MAX_PIXELS

MAX_POINTS = 1_000_000
"""Largest number of points of one polygon, far above what a person or a tracing tool draws."""

MAX_NUMBER = float(MAX_PIXELS)
"""Largest coordinate, pen width and number of seconds. An image of one row may be this wide."""

MAX_COVER = 256
"""How many times the shapes may cover their image. Annotations of whole scenes cover it fewer than ten times."""

FREE = 1 << 24
"""Number of pixels and rows that are rasterised in a second. They are allowed for an image of any size."""

Size = tuple[int, int]


def of_table(hints: Hints, table: Collection[str], left_out: Counter[str]) -> Hints:
    """Return the hints with only the classes of a table. Shapes of other classes become ignored areas.

    Args:
        hints: The hints of one image.
        table: The names of the classes.
        left_out: Counts the hints of other classes by class name; this function adds to it.
    """
    if hints.numbering is not None:
        unknown = {name for name in hints.numbering.names() if name not in table}
        left_out.update(sorted(unknown))
        hints = replace(hints, numbering=hints.numbering.without(unknown)) if unknown else hints
    others = {name for name in hints.names() if name not in table}
    if not others:
        return hints
    left_out.update(hint.name for hint in hints.shapes if hint.name in others)
    tags = hints.tags
    if tags is not None:
        left_out.update(sorted((tags.present | tags.absent) & others))
        tags = Tags(tags.present - others, tags.absent - others)
    kept = ignore_where(hints, lambda hint: hint.name in others, below=(Box,))
    return replace(kept, boxed=hints.boxed - others, tags=tags)


def check_hints(hints: Hints, classes: ClassTable | None, where: object) -> None:
    """Refuse hints with invalid values, or with a class that is not in the table.

    Raises:
        HintError: A number is not finite or beyond `MAX_NUMBER`, a stroke has no points or no width, a box is empty, a
            polygon has fewer than three points, the runs of a bitmap do not match its size, the size is empty, the
            seconds are negative, a class is absent and also tagged or drawn, or a class is not in the table.
    """
    for number in (number for shape in hints.shapes for number in _numbers(shape)):
        if not abs(number) <= MAX_NUMBER:  # false for NaN as well
            raise HintError(f"a number is {number}", where=where, accepted=f"finite numbers up to {MAX_NUMBER:g}")
    for shape in hints.shapes:
        _check_shape(shape, where)
    if hints.tags is not None:
        drawn = set(hints.drawn())
        both = (hints.tags.present | drawn) & hints.tags.absent
        if both:
            what = f"stated to be absent, and also tagged or drawn as present: {', '.join(sorted(both))}"
            raise HintError(what, where=where, fix="correct the tags, or leave out the hints of one source")
    if hints.size is not None and min(hints.size) < 1:
        raise HintError(f"the size is {hints.size}", where=where, accepted="(height, width) of 1 or more")
    if hints.seconds is not None and not 0 <= hints.seconds <= MAX_NUMBER:
        raise HintError(f"the time spent is {hints.seconds} seconds", where=where, accepted=f"0 to {MAX_NUMBER:g}")
    if classes is not None:
        classes.indices(dict.fromkeys(hints.names()), where)


def _check_shape(shape: Shape, where: object) -> None:
    if isinstance(shape, Polygon | Bitmap):
        _check_region(shape, where)
    elif shape.name == IGNORED:
        raise HintError("a click, stroke or box without a class", where=where, accepted="only areas can be ignored")
    elif isinstance(shape, Scribble) and (not shape.points or shape.width <= 0):
        what = f"a stroke of {shape.name!r} has {len(shape.points)} points and width {shape.width}"
        raise HintError(what, where=where, accepted="at least 1 point, width > 0")
    elif isinstance(shape, Box) and not (shape.x0 < shape.x1 and shape.y0 < shape.y1):
        raise HintError(f"the box is empty: {shape}", where=where, accepted="x0 < x1 and y0 < y1")


def _check_region(region: Region, where: object) -> None:
    if isinstance(region, Polygon):
        counts = [len(ring) for ring in (region.ring, *region.holes)]
        if min(counts) < 3 or sum(counts) > MAX_POINTS:
            what = f"a polygon of {region.name!r} has a ring of {min(counts)} points, and {sum(counts)} in all"
            raise HintError(what, where=where, accepted=f"at least 3 points per ring, at most {MAX_POINTS} in all")
        return
    width, height = region.width, region.height
    if max(abs(region.x), abs(region.y)) > MAX_NUMBER:
        what = f"a bitmap of {region.name!r} lies outside every possible image"
        raise HintError(what, where=where, accepted=f"x and y up to {MAX_NUMBER:g}")
    if not (width >= 1 and height >= 1 and width * height <= MAX_PIXELS):
        what = f"a bitmap of {region.name!r} has {width} x {height} pixels"
        raise HintError(what, where=where, accepted=f"1 to {MAX_PIXELS} pixels")
    if any(run < 0 for run in region.runs) or sum(region.runs) != width * height:
        least = min(region.runs, default=0)
        what = f"the runs of a bitmap of {region.name!r} sum to {sum(region.runs)}, the smallest is {least}"
        raise HintError(what, where=where, accepted=f"0 or more each, {width * height} in all")


def _numbers(shape: Shape) -> Iterator[float]:
    """Yield the coordinates and the pen width of a shape. Those of a bitmap are checked with its runs."""
    match shape:
        case Click():
            yield from (shape.x, shape.y)
        case Scribble():
            yield shape.width
            yield from (value for point in shape.points for value in point)
        case Box():
            yield from (shape.x0, shape.y0, shape.x1, shape.y1)
        case Polygon():
            yield from (value for ring in (shape.ring, *shape.holes) for point in ring for value in point)


def refuse_size(hints: Hints, size: Size, where: object) -> None:
    """Refuse a size that a file states for an image without a file, because its hints may be rasterised.

    Raises:
        HintError: The size has more than `MAX_PIXELS` pixels.
    """
    if size[0] * size[1] > MAX_PIXELS:
        what = f"the stated size of the image {hints.image!r} has more than {MAX_PIXELS:,} pixels"
        fix = "give the data set with its images"
        raise HintError(what, where=where, accepted=f"at most {MAX_PIXELS:,} pixels", fix=fix)


def refuse_excess(hints: Hints, size: Size, where: object) -> None:
    """Refuse strokes and areas that would take too long to rasterise.

    Raises:
        HintError: The shapes cover the image more than `MAX_COVER` times.
    """
    pixels = size[0] * size[1]
    most = FREE + MAX_COVER * pixels
    shapes = (*hints.scribbles, *hints.regions)
    if sum(pixels + points_of(shape) * size[0] for shape in shapes) <= most:
        return  # the usual case, for which the points need not be read
    work = sum(_work(shape, size) for shape in shapes)
    if work > most:
        points = sum(map(points_of, shapes))
        what = f"the {len(shapes)} strokes and areas of {hints.image!r}, with {points} points, cover it too many times"
        accepted = f"shapes that cover the image at most {MAX_COVER} times"
        raise HintError(what, where=where, accepted=accepted, fix="remove repeated shapes, or use fewer points")


def points_of(shape: Scribble | Region) -> int:
    """Return the number of points of a stroke or polygon, or of runs of a bitmap."""
    if isinstance(shape, Scribble):
        return len(shape.points)
    return len(shape.runs) if isinstance(shape, Bitmap) else sum(map(len, (shape.ring, *shape.holes)))


def _work(shape: Scribble | Region, size: Size) -> float:
    """Return the number of rows that the lines of a shape cross, plus the pixels that are read to fill it."""
    pixels = size[0] * size[1]
    if isinstance(shape, Bitmap):
        return min(shape.width * shape.height, pixels) + len(shape.runs)
    rings, pen = ((shape.points,), shape.width) if isinstance(shape, Scribble) else ((shape.ring, *shape.holes), 0.0)
    points = np.array([point for ring in rings for point in (*ring, ring[0])], np.float64)
    sides = np.abs(np.diff(points, axis=0, prepend=points[:1])) + pen + 2  # the step to the next ring is counted too
    columns, rows = np.minimum(sides, [size[1], size[0]]).T
    if isinstance(shape, Scribble):
        return float(rows.sum() + min((rows * columns).sum(), pixels))
    return float(rows.sum() + np.clip(np.ptp(points, axis=0) + 2, 0, [size[1], size[0]]).prod())
