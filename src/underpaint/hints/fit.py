"""Hints within the borders of their photograph: what lies outside is refused, or cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from underpaint.core.errors import HintError
from underpaint.hints.border import cut_box, cut_region, cut_scribble
from underpaint.hints.excess import refuse_excess
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Point, Polygon, Scribble, Shape

Size = tuple[int, int]

SLACK = 1.0
"""Pixels by which geometry may leave the photograph and is moved back: what rounding and the choice between 0- and
1-based pixels can do. Anything farther out belongs to another photograph."""


@dataclass(frozen=True)
class Fitted:
    """Hints within their photograph.

    Args:
        hints: Those that lie within.
        dropped: Clicks, strokes, boxes and regions that lay outside altogether, and were left out.
        cut: Those that were cut at the border.
    """

    hints: Hints
    dropped: int
    cut: int

    @property
    def outside(self) -> int:
        """All that did not lie within."""
        return self.dropped + self.cut


def fit_hints(hints: Hints, size: Size, *, drop: bool, where: object) -> Fitted:
    """Compare hints with the size of their photograph, and record it in them.

    Geometry up to `SLACK` pixels outside is moved to the border pixels. What lies farther out is an error, or is cut at
    the border where ``drop``, and left out where nothing of it lies within. Ignored areas are cut in any case.

    Args:
        hints: Hints of one image.
        size: (H, W) of the upright photograph.
        drop: Cut and leave out what lies outside instead of raising.
        where: File, for messages.

    Raises:
        HintError: geometry outside and not ``drop``, a recorded size that differs, or shapes that `refuse_excess`
            does not accept.
    """
    if hints.size is not None and hints.size != size:
        turned = " (the sides are swapped: drawn before the EXIF rotation?)" if hints.size == size[::-1] else ""
        raise HintError(
            f"drawn on an image of {hints.size[0]} x {hints.size[1]}, the photograph {hints.image!r} has {size[0]} x "
            f"{size[1]} (rows x columns){turned}",
            where=where,
            fix="give the photograph that the hints were drawn on; hints are never stretched",
        )
    refuse_excess(hints, size, where)
    every = [(hint, *_fitted(hint, size)) for hint in hints.shapes]
    stray = [(hint, kept) for hint, kept, inside in every if not inside and hint.name != IGNORED]
    if stray and not drop:
        raise _stray_error(hints.image, stray[0][0], size, where)
    lost = [hint for hint, kept in stray if all(one.name == IGNORED for one in kept)]
    # What is beside a cut stroke is ignored above all areas.
    above = [one for hint, kept, _ in every if isinstance(hint, Scribble) for one in kept]
    below = [one for hint, kept, _ in every if not isinstance(hint, Scribble) for one in kept]
    fitted = replace(
        hints,
        size=size,
        shapes=(*below, *above),
        # A class whose box is left out is no longer boxed completely.
        boxed=hints.boxed - {hint.name for hint in lost if isinstance(hint, Box)},
    )
    return Fitted(fitted, len(lost), len(stray) - len(lost))


def _stray_error(image: str, stray: Shape, size: Size, where: object) -> HintError:
    kind, text = type(stray).__name__.lower(), repr(stray)
    return HintError(
        f"a {kind} lies outside the photograph {image!r} of {size[0]} rows and {size[1]} columns: {text[:120]}",
        where=where,
        accepted=f"0 <= x <= {size[1]}, 0 <= y <= {size[0]}",
        fix="correct it, or cut what crosses the border, and leave out what lies outside, with --lenient",
    )


def _fitted(hint: Shape, size: Size) -> tuple[Sequence[Shape], bool]:
    """What lies within the image of a hint, and whether all of it does, up to `SLACK`."""
    if isinstance(hint, Click):
        point = _fit_point((hint.x, hint.y), size)
        return ((), False) if point is None else ((Click(hint.name, *point),), True)
    if isinstance(hint, Scribble):
        return _fit_scribble(hint, size)
    if isinstance(hint, Box):
        box = cut_box(hint, size)
        inside = box is not None and _near((hint.x0, hint.x1), (hint.y0, hint.y1), size, SLACK)
        return (() if box is None else (box,)), inside
    if isinstance(hint, Bitmap):  # of pixels none can be moved
        if _near((hint.x, hint.x + hint.width), (hint.y, hint.y + hint.height), size, 0.0):
            return (hint,), True
    elif moved := _moved(hint, size):
        return (moved,), True
    cut = cut_region(hint, size)
    return (() if cut is None else (cut,)), False


def _near(xs: Sequence[float], ys: Sequence[float], size: Size, slack: float) -> bool:
    """Whether coordinates lie within an image (H, W), or at most ``slack`` pixels beside it."""
    height, width = size
    return min(xs) >= -slack and min(ys) >= -slack and max(xs) <= width + slack and max(ys) <= height + slack


def _fit_point(point: Point, size: Size) -> Point | None:
    height, width = size
    x, y = point
    if not (-SLACK <= x <= width + SLACK and -SLACK <= y <= height + SLACK):
        return None
    # The far border itself is outside (pixels are half open), so it goes to the middle of the last pixel.
    return (x if x < width else width - 0.5) if x >= 0 else 0.5, (y if y < height else height - 0.5) if y >= 0 else 0.5


def _fit_scribble(scribble: Scribble, size: Size) -> tuple[Sequence[Shape], bool]:
    points = tuple(point for one in scribble.points if (point := _fit_point(one, size)) is not None)
    if len(points) == len(scribble.points):
        return (replace(scribble, points=points),), True
    pieces, beside = cut_scribble(scribble, size)
    return (*pieces, *((beside,) if beside is not None else ())), False


def _moved(polygon: Polygon, size: Size) -> Polygon | None:
    """A polygon moved to the image's border, on which, unlike a click, it may lie; None where it is farther out."""
    rings = (polygon.ring, *polygon.holes)
    xs, ys = zip(*(point for ring in rings for point in ring), strict=True)
    if _near(xs, ys, size, 0.0):
        return polygon  # the same object: large data sets are held once
    if not _near(xs, ys, size, SLACK):
        return None
    height, width = (float(side) for side in size)
    ring, *holes = (tuple((min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in ring) for ring in rings)
    return Polygon(polygon.name, ring, tuple(holes))
