"""Checks of hints, whichever format they come from: sense, class names, and the photograph's borders."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.formats.decode import MAX_PIXELS
from underpaint.hints.ignore import Drawn, ignore_where
from underpaint.hints.types import Bitmap, Box, Click, Hints, Point, Polygon, Region, Scribble, Tags

SLACK = 1.0
"""Pixels by which geometry may leave the photograph and is moved back: what rounding and the choice between 0- and
1-based pixels can do. Anything farther out belongs to another photograph."""

MAX_POINTS = 1_000_000
"""Limit of the points of one polygon, far above what a person or a tracing tool draws."""


def geometry(hints: Hints) -> tuple[Drawn, ...]:
    """Clicks, strokes, boxes and regions, in this order."""
    return (*hints.clicks, *hints.scribbles, *hints.boxes, *hints.regions)


def of_table(hints: Hints, table: Collection[str], left_out: Counter[str]) -> Hints:
    """The hints of the classes of a table. What others cover becomes ignored areas, and stays unknown.

    Args:
        hints: Of one image.
        table: The names of the classes.
        left_out: Counts here the hints of other classes, by their word.
    """
    strange = {name for name in hints.names() if name not in table}
    if not strange:
        return hints
    left_out.update(hint.name for hint in geometry(hints) if hint.name in strange)
    tags = hints.tags
    if tags is not None:
        left_out.update(sorted((tags.present | tags.absent) & strange))
        tags = Tags(tags.present - strange, tags.absent - strange)
    kept = ignore_where(hints, lambda hint: hint.name in strange, boxes_below=True)
    return replace(kept, boxed=hints.boxed - strange, tags=tags)


def check_hints(hints: Hints, classes: ClassTable | None, where: object) -> None:
    """Refuse hints that make no sense in themselves, or name a class outside the table.

    Raises:
        HintError: a number that is not finite, a stroke without points or width, an empty box, a polygon of fewer than
            three points, a bitmap whose runs are not its pixels, an empty size, negative seconds, a class that is
            absent and yet tagged or drawn, or one that the table lacks.
    """
    for number in _numbers(hints):
        if not math.isfinite(number):
            raise HintError(f"a number is {number}", where=where, accepted="finite numbers")
    for scribble in hints.scribbles:
        if not scribble.points or scribble.width <= 0:
            what = f"a stroke of {scribble.name!r} has {len(scribble.points)} points and width {scribble.width}"
            raise HintError(what, where=where, accepted="1 point or more, width > 0")
    for box in hints.boxes:
        if not (box.x0 < box.x1 and box.y0 < box.y1):
            raise HintError(f"the box is empty: {box}", where=where, accepted="x0 < x1 and y0 < y1")
    for region in hints.regions:
        _check_region(region, where)
    if hints.tags is not None:
        drawn = set(hints.drawn())
        both = (hints.tags.present | drawn) & hints.tags.absent
        if both:
            what = f"absent, and tagged or drawn as present, at once: {', '.join(sorted(both))}"
            raise HintError(what, where=where, fix="correct the tags, or leave out the hints of one source")
    if hints.size is not None and min(hints.size) < 1:
        raise HintError(f"the size is {hints.size}", where=where, accepted="(height, width) of 1 or more")
    if hints.seconds is not None and hints.seconds < 0:
        raise HintError(f"the time spent is {hints.seconds} seconds", where=where, accepted="0 or more")
    if classes is not None:
        classes.indices(dict.fromkeys(hints.names()), where)


def _check_region(region: Region, where: object) -> None:
    if isinstance(region, Polygon):
        counts = [len(ring) for ring in (region.ring, *region.holes)]
        if min(counts) < 3 or sum(counts) > MAX_POINTS:
            what = f"a polygon of {region.name!r} has a ring of {min(counts)} points, and {sum(counts)} in all"
            raise HintError(what, where=where, accepted=f"3 points or more a ring, at most {MAX_POINTS} in all")
        return
    width, height = region.width, region.height
    if not (width >= 1 and height >= 1 and width * height <= MAX_PIXELS):
        what = f"a bitmap of {region.name!r} has {width} x {height} pixels"
        raise HintError(what, where=where, accepted=f"1 to {MAX_PIXELS} pixels")
    if any(run < 0 for run in region.runs) or sum(region.runs) != width * height:
        least = min(region.runs, default=0)
        what = f"the runs of a bitmap of {region.name!r} sum to {sum(region.runs)}, the smallest is {least}"
        raise HintError(what, where=where, accepted=f"0 or more each, {width * height} in all")


def _numbers(hints: Hints) -> Iterator[float]:
    for click in hints.clicks:
        yield from (click.x, click.y)
    for scribble in hints.scribbles:
        yield scribble.width
        yield from (value for point in scribble.points for value in point)
    for box in hints.boxes:
        yield from (box.x0, box.y0, box.x1, box.y1)
    for region in hints.regions:
        if isinstance(region, Polygon):
            yield from (value for ring in (region.ring, *region.holes) for point in ring for value in point)
    if hints.seconds is not None:
        yield hints.seconds


@dataclass(frozen=True)
class Fitted:
    """Hints within their photograph, and how many clicks, strokes, boxes and regions lay outside and were left out."""

    hints: Hints
    dropped: int


def fit_hints(hints: Hints, size: tuple[int, int], *, drop: bool, where: object) -> Fitted:
    """Compare hints with the size of their photograph, and record it in them.

    Geometry up to `SLACK` pixels outside is moved to the border pixels; farther out it is an error, or left out where
    ``drop``. A box is cut at the border if any of it lies within; a bitmap lies within with all its rectangle.

    Args:
        hints: Hints of one image.
        size: (H, W) of the upright photograph.
        drop: Leave out what lies outside instead of raising.
        where: File, for messages.

    Raises:
        HintError: geometry outside and not ``drop``, or a recorded size that differs.
    """
    if hints.size is not None and hints.size != size:
        turned = " (the sides are swapped: drawn before the EXIF rotation?)" if hints.size == size[::-1] else ""
        raise HintError(
            f"drawn on an image of {hints.size[0]} x {hints.size[1]}, the photograph {hints.image!r} has {size[0]} x "
            f"{size[1]} (rows x columns){turned}",
            where=where,
            fix="give the photograph that the hints were drawn on; hints are never stretched",
        )
    clicks = [_fit_click(click, size) for click in hints.clicks]
    scribbles = [_fit_scribble(scribble, size) for scribble in hints.scribbles]
    boxes = [_fit_box(box, size) for box in hints.boxes]
    regions = [_fit_region(region, size) for region in hints.regions]
    every = (*clicks, *scribbles, *boxes, *regions)
    stray = [hint for hint, fitted in zip(geometry(hints), every, strict=True) if fitted is None]
    if stray and not drop:
        raise _stray_error(hints.image, stray[0], size, where)
    fitted = replace(
        hints,
        size=size,
        clicks=tuple(click for click in clicks if click),
        scribbles=tuple(scribble for scribble in scribbles if scribble),
        boxes=tuple(box for box in boxes if box),
        # A class whose box is left out is no longer boxed completely.
        boxed=hints.boxed - {hint.name for hint in stray if isinstance(hint, Box)},
        regions=tuple(region for region in regions if region),
    )
    return Fitted(fitted, len(stray))


def _stray_error(image: str, stray: Drawn, size: tuple[int, int], where: object) -> HintError:
    kind, text = type(stray).__name__.lower(), repr(stray)
    return HintError(
        f"a {kind} lies outside the photograph {image!r} of {size[0]} rows and {size[1]} columns: {text[:120]}",
        where=where,
        accepted=f"0 <= x <= {size[1]}, 0 <= y <= {size[0]}",
        fix="correct it, or ask for hints outside the photograph to be left out",
    )


def _fit_point(point: Point, size: tuple[int, int]) -> Point | None:
    height, width = size
    x, y = point
    if not (-SLACK <= x <= width + SLACK and -SLACK <= y <= height + SLACK):
        return None
    # The far border itself is outside (pixels are half open), so it goes to the middle of the last pixel.
    return (x if x < width else width - 0.5) if x >= 0 else 0.5, (y if y < height else height - 0.5) if y >= 0 else 0.5


def _fit_click(click: Click, size: tuple[int, int]) -> Click | None:
    point = _fit_point((click.x, click.y), size)
    return None if point is None else Click(click.name, *point)


def _fit_scribble(scribble: Scribble, size: tuple[int, int]) -> Scribble | None:
    points = [_fit_point(point, size) for point in scribble.points]
    kept = tuple(point for point in points if point is not None)
    return replace(scribble, points=kept) if len(kept) == len(points) else None


def _fit_box(box: Box, size: tuple[int, int]) -> Box | None:
    height, width = size
    inside = box.x0 >= -SLACK and box.y0 >= -SLACK and box.x1 <= width + SLACK and box.y1 <= height + SLACK
    cut = Box(box.name, max(box.x0, 0.0), max(box.y0, 0.0), min(box.x1, float(width)), min(box.y1, float(height)))
    return cut if inside and cut.area > 0 else None


def _fit_region(region: Region, size: tuple[int, int]) -> Region | None:
    height, width = size
    if isinstance(region, Bitmap):
        inside = region.x >= 0 and region.y >= 0 and region.x + region.width <= width
        return region if inside and region.y + region.height <= height else None
    rings = [_fit_ring(ring, size) for ring in (region.ring, *region.holes)]
    ring, *holes = (fitted for fitted in rings if fitted is not None) if None not in rings else (None,)
    return None if ring is None else Polygon(region.name, ring, tuple(holes))


def _fit_ring(ring: tuple[Point, ...], size: tuple[int, int]) -> tuple[Point, ...] | None:
    """A ring moved to the image's border, on which, unlike a click, it may lie."""
    height, width = size
    xs, ys = zip(*ring, strict=True)
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    if not (left >= -SLACK and right <= width + SLACK and top >= -SLACK and bottom <= height + SLACK):
        return None
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return ring  # the same object: large data sets are held once
    return tuple((min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))) for x, y in ring)
