"""Checks hints from whatever format they come: sense, class names, contradictions, and the work of painting them."""

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
"""The limit of the points of one line or ring, far above what a person or a tracing tool draws."""

MAX_NUMBER = float(MAX_PIXELS)
"""The limit of coordinates, pen widths and seconds: an image of one row may be this wide, and the seconds are three
years. Above it, arithmetic overflows."""

MAX_COVER = 256
"""How many times the shapes of an image may cover it. Annotations of whole scenes cover their image fewer than ten
times."""

FREE = 1 << 24
"""So many pixels and rows are painted in a second. They are allowed whatever the size of the image."""

Size = tuple[int, int]


def of_table(hints: Hints, table: Collection[str], left_out: Counter[str]) -> Hints:
    """The hints for the classes of a table. What shapes of other classes cover becomes ignored areas and stays unknown.

    Args:
        hints: The hints of one image.
        table: The names of the classes.
        left_out: A counter of the hints of other classes by class name, to which this function adds.
    """
    if hints.numbering is not None:
        unknown = {name for name in hints.numbering.names() if name not in table}
        left_out.update(sorted(unknown))
        hints = replace(hints, numbering=hints.numbering.without(unknown)) if unknown else hints
    strange = {name for name in hints.names() if name not in table}
    if not strange:
        return hints
    left_out.update(hint.name for hint in hints.shapes if hint.name in strange)
    tags = hints.tags
    if tags is not None:
        left_out.update(sorted((tags.present | tags.absent) & strange))
        tags = Tags(tags.present - strange, tags.absent - strange)
    kept = ignore_where(hints, lambda hint: hint.name in strange, below=(Box,))
    return replace(kept, boxed=hints.boxed - strange, tags=tags)


def check_hints(hints: Hints, classes: ClassTable | None, where: object) -> None:
    """Refuse hints that make no sense in themselves, or that name a class outside the table.

    Raises:
        HintError: a number that is not finite or beyond `MAX_NUMBER`, a stroke without points or width, an empty box, a
            polygon of fewer than three points, a bitmap whose runs do not match its size, an empty size, negative
            seconds, a class that is absent and also tagged or drawn, or a class that the table lacks.
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
            what = f"absent, and tagged or drawn as present, at once: {', '.join(sorted(both))}"
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
        raise HintError("a click, stroke or box without a class", where=where, accepted="areas alone can be ignored")
    elif isinstance(shape, Scribble) and (not shape.points or shape.width <= 0):
        what = f"a stroke of {shape.name!r} has {len(shape.points)} points and width {shape.width}"
        raise HintError(what, where=where, accepted="1 point or more, width > 0")
    elif isinstance(shape, Box) and not (shape.x0 < shape.x1 and shape.y0 < shape.y1):
        raise HintError(f"the box is empty: {shape}", where=where, accepted="x0 < x1 and y0 < y1")


def _check_region(region: Region, where: object) -> None:
    if isinstance(region, Polygon):
        counts = [len(ring) for ring in (region.ring, *region.holes)]
        if min(counts) < 3 or sum(counts) > MAX_POINTS:
            what = f"a polygon of {region.name!r} has a ring of {min(counts)} points, and {sum(counts)} in all"
            raise HintError(what, where=where, accepted=f"3 points or more a ring, at most {MAX_POINTS} in all")
        return
    width, height = region.width, region.height
    if max(abs(region.x), abs(region.y)) > MAX_NUMBER:
        what = f"a bitmap of {region.name!r} lies farther away than any image is wide"
        raise HintError(what, where=where, accepted=f"x and y up to {MAX_NUMBER:g}")
    if not (width >= 1 and height >= 1 and width * height <= MAX_PIXELS):
        what = f"a bitmap of {region.name!r} has {width} x {height} pixels"
        raise HintError(what, where=where, accepted=f"1 to {MAX_PIXELS} pixels")
    if any(run < 0 for run in region.runs) or sum(region.runs) != width * height:
        least = min(region.runs, default=0)
        what = f"the runs of a bitmap of {region.name!r} sum to {sum(region.runs)}, the smallest is {least}"
        raise HintError(what, where=where, accepted=f"0 or more each, {width * height} in all")


def _numbers(shape: Shape) -> Iterator[float]:
    """The coordinates and the pen width of a shape. Those of a bitmap are checked with its runs."""
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
    """Refuse a size that a file states of an image that is not there, and in which something may be painted.

    Raises:
        HintError: more than `MAX_PIXELS` pixels.
    """
    if size[0] * size[1] > MAX_PIXELS:
        what = f"the image {hints.image!r} is said to have more than {MAX_PIXELS:,} pixels"
        fix = "give the data set with its images"
        raise HintError(what, where=where, accepted=f"at most {MAX_PIXELS:,} pixels", fix=fix)


def refuse_excess(hints: Hints, size: Size, where: object) -> None:
    """Refuse strokes and areas that would take too long to paint.

    Raises:
        HintError: the shapes cover the image more than `MAX_COVER` times.
    """
    pixels = size[0] * size[1]
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
