"""The hints of a window of an image. A window of a very large image is treated as a small image of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from underpaint.hints.border import cut_box, cut_region, cut_scribble
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Region, Scribble, Shape


def hints_within(hints: Hints, top: int, left: int, size: tuple[int, int]) -> Hints:
    """Return the hints of a window in its coordinates, without tags and other hints for the whole image.

    Args:
        hints: Hints of the whole image; a label file is left out.
        top: First row of the window.
        left: First column of the window.
        size: (H, W) of the window.
    """
    shapes = tuple(part for shape in _near(hints.shapes, top, left, size) for part in _cut(shape, top, left, size))
    return replace(hints, size=size, shapes=shapes, mask=None, tags=None, boxed=frozenset())


def _near(shapes: Iterable[Shape], top: int, left: int, size: tuple[int, int]) -> Iterator[Shape]:
    """Yield the shapes whose extent overlaps the window, so that few of the thousands of shapes of a slide are cut."""
    for shape in shapes:
        x0, y0, x1, y1 = extent(shape)
        if x0 <= left + size[1] and x1 >= left and y0 <= top + size[0] and y1 >= top:
            yield shape


def extent(shape: Shape) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 of a rectangle around the pixels of a shape."""
    if isinstance(shape, Click):
        return shape.x, shape.y, shape.x, shape.y
    if isinstance(shape, Box):
        return shape.x0, shape.y0, shape.x1, shape.y1
    if isinstance(shape, Bitmap):
        return shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
    points = shape.points if isinstance(shape, Scribble) else shape.ring
    reach = shape.width / 2 + 1 if isinstance(shape, Scribble) else 0.0
    xs, ys = zip(*points, strict=True)
    return min(xs) - reach, min(ys) - reach, max(xs) + reach, max(ys) + reach


def _cut(shape: Shape, top: int, left: int, size: tuple[int, int]) -> Iterator[Shape]:
    if isinstance(shape, Click):
        x, y = shape.x - left, shape.y - top
        if 0 <= x < size[1] and 0 <= y < size[0]:
            yield replace(shape, x=x, y=y)
    elif isinstance(shape, Scribble):
        moved = replace(shape, points=tuple((x - left, y - top) for x, y in shape.points))
        pieces, remainder = cut_scribble(moved, size)
        yield from pieces
        if remainder is not None:
            yield remainder
    elif isinstance(shape, Box):
        box = cut_box(Box(shape.name, shape.x0 - left, shape.y0 - top, shape.x1 - left, shape.y1 - top), size)
        if box is not None:
            yield box
    else:
        region = cut_region(_moved(shape, top, left), size)
        if region is not None:
            yield region


def _moved(region: Region, top: int, left: int) -> Region:
    if isinstance(region, Bitmap):
        return replace(region, x=region.x - left, y=region.y - top)
    ring, *holes = (tuple((x - left, y - top) for x, y in points) for points in (region.ring, *region.holes))
    return Polygon(region.name, ring, tuple(holes))
