"""Checks hints from whatever format they come: their numbers, their class names, and what contradicts itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

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
