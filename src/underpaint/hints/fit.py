"""Compares hints with the size of their image. Shapes outside the image are refused or cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from underpaint.core.errors import HintError
from underpaint.hints.border import cut_box, cut_region, cut_scribble
from underpaint.hints.check import refuse_excess
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Point, Polygon, Scribble, Shape

Size = tuple[int, int]

SLACK = 1.0
"""Number of pixels by which a shape may be outside the image and is moved to its border. Such small differences come
from rounding or from pixels that are counted from 1. A shape farther outside probably belongs to another image."""


@dataclass(frozen=True)
class Fitted:
    """Hints within their image.

    Args:
        hints: The hints within the image.
        dropped: Number of shapes that were completely outside and were left out.
        cut: Number of shapes that were cut at the border.
    """

    hints: Hints
    dropped: int
    cut: int

    @property
    def outside(self) -> int:
        """Number of shapes that were not completely within the image."""
        return self.dropped + self.cut


def fit_hints(hints: Hints, size: Size, *, drop: bool, where: object) -> Fitted:
    """Compare hints with the size of their image, and record the size in them.

    Shapes up to `SLACK` pixels outside are moved to the border. Shapes farther outside are an error. With ``drop`` they
    are cut at the border, or left out if they are completely outside. Ignored areas are always cut.

    Args:
        hints: Hints of one image.
        size: (H, W) of the upright image.
        drop: Cut or leave out shapes outside instead of raising an error.
        where: The file, for messages.

    Raises:
        HintError: A shape is outside and ``drop`` is not set, the recorded size differs from ``size``, or
            `refuse_excess` refuses the shapes.
    """
    if hints.size is not None and hints.size != size:
        turned = " (the sides are swapped: drawn before the EXIF rotation?)" if hints.size == size[::-1] else ""
        raise HintError(
            f"the hints were drawn on an image of {hints.size[0]} x {hints.size[1]}, but the image {hints.image!r} has "
            f"{size[0]} x {size[1]} (rows x columns){turned}",
            where=where,
            fix="give the image on which the hints were drawn; hints are never resized",
        )
    refuse_excess(hints, size, where)
    every = [(hint, *_fitted(hint, size)) for hint in hints.shapes]
    outside = [(hint, kept) for hint, kept, inside in every if not inside and hint.name != IGNORED]
    if outside and not drop:
        raise _outside_error(hints.image, outside[0][0], size, where)
    lost = [hint for hint, kept in outside if all(one.name == IGNORED for one in kept)]
    # The remaining pixels of a cut stroke become an ignored area above all others.
    above = [one for hint, kept, _ in every if isinstance(hint, Scribble) for one in kept]
    below = [one for hint, kept, _ in every if not isinstance(hint, Scribble) for one in kept]
    fitted = replace(
        hints,
        size=size,
        shapes=(*below, *above),
        # A class is no longer completely boxed if one of its boxes is left out.
        boxed=hints.boxed - {hint.name for hint in lost if isinstance(hint, Box)},
    )
    return Fitted(fitted, len(lost), len(outside) - len(lost))


def _outside_error(image: str, shape: Shape, size: Size, where: object) -> HintError:
    kind, text = type(shape).__name__.lower(), repr(shape)
    return HintError(
        f"a {kind} lies outside the image {image!r} of {size[0]} rows and {size[1]} columns: {text[:120]}",
        where=where,
        accepted=f"0 <= x <= {size[1]}, 0 <= y <= {size[0]}",
        fix="correct it, or use --lenient to cut shapes at the border and to leave out those outside",
    )


def _fitted(hint: Shape, size: Size) -> tuple[Sequence[Shape], bool]:
    """Return the parts of a shape within the image, and whether the whole shape is inside, up to `SLACK`."""
    if isinstance(hint, Click):
        point = _fit_point((hint.x, hint.y), size)
        return ((), False) if point is None else ((Click(hint.name, *point),), True)
    if isinstance(hint, Scribble):
        return _fit_scribble(hint, size)
    if isinstance(hint, Box):
        box = cut_box(hint, size)
        inside = box is not None and _near((hint.x0, hint.x1), (hint.y0, hint.y1), size, SLACK)
        return (() if box is None else (box,)), inside
    if isinstance(hint, Bitmap):  # a bitmap cannot be moved by a fraction of a pixel
        if _near((hint.x, hint.x + hint.width), (hint.y, hint.y + hint.height), size, 0.0):
            return (hint,), True
    elif moved := _moved(hint, size):
        return (moved,), True
    cut = cut_region(hint, size)
    return (() if cut is None else (cut,)), False


def _near(xs: Sequence[float], ys: Sequence[float], size: Size, slack: float) -> bool:
    """Whether all coordinates are within an image (H, W) or at most ``slack`` pixels outside."""
    height, width = size
    return min(xs) >= -slack and min(ys) >= -slack and max(xs) <= width + slack and max(ys) <= height + slack


def _fit_point(point: Point, size: Size) -> Point | None:
    height, width = size
    x, y = point
    if not (-SLACK <= x <= width + SLACK and -SLACK <= y <= height + SLACK):
        return None
    # Pixels are half open, so the right and lower border is outside and a point there moves to the last pixel.
    return (x if x < width else width - 0.5) if x >= 0 else 0.5, (y if y < height else height - 0.5) if y >= 0 else 0.5


def _fit_scribble(scribble: Scribble, size: Size) -> tuple[Sequence[Shape], bool]:
    points = tuple(point for one in scribble.points if (point := _fit_point(one, size)) is not None)
    if len(points) == len(scribble.points):
        return (replace(scribble, points=points),), True
    pieces, remainder = cut_scribble(scribble, size)
    return (*pieces, *((remainder,) if remainder is not None else ())), False


def _moved(polygon: Polygon, size: Size) -> Polygon | None:
    """Move a polygon to the border of the image, on which it may lie unlike a click; None if it is too far outside."""
    rings = (polygon.ring, *polygon.holes)
    xs, ys = zip(*(point for ring in rings for point in ring), strict=True)
    if _near(xs, ys, size, 0.0):
        return polygon  # the same object, so that large data sets are not copied
    if not _near(xs, ys, size, SLACK):
        return None
    height, width = (float(side) for side in size)
    ring, *holes = (tuple((min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in ring) for ring in rings)
    return Polygon(polygon.name, ring, tuple(holes))
