"""Shapes as ignored areas: what is left out, or meant to be left out, leaves unknown pixels and no background."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from underpaint.hints.rasterise import bitmap_of, stroke_pixels
from underpaint.hints.types import IGNORED, Box, Click, Hints, Polygon, Region, Scribble

Drawn = Click | Scribble | Box | Region

LARGEST = 1 << 26
"""Pixels of the rectangle around a stroke up to which its own pixels are ignored; of a larger one its rectangle is."""


def ignored_area(hint: Drawn) -> Region:
    """The pixels of a hint as an ignored area: of a click or stroke those that it labels, of a box all of it."""
    if isinstance(hint, Box):
        return _rectangle(hint.x0, hint.y0, hint.x1, hint.y1)
    if isinstance(hint, Click):
        return _stroke(((hint.x, hint.y),), 0.0)
    if isinstance(hint, Scribble):
        return _stroke(hint.points, hint.width)
    return replace(hint, name=IGNORED)


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return Polygon(IGNORED, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def _stroke(points: tuple[tuple[float, float], ...], width: float) -> Region:
    xs, ys = zip(*points, strict=True)
    left, top = math.floor(min(xs) - width), math.floor(min(ys) - width)
    columns, rows = math.ceil(max(xs) + width) - left + 1, math.ceil(max(ys) + width) - top + 1
    if rows * columns > LARGEST:
        return _rectangle(left, top, left + columns, top + rows)
    area = np.zeros((rows, columns), bool)
    area[stroke_pixels(np.array(points, np.float64) - (left, top), width, (rows, columns))] = True
    made = bitmap_of(IGNORED, area, x=left, y=top)
    assert made is not None  # a stroke labels the pixels of its points at least
    return made


def ignore_where(hints: Hints, chosen: Callable[[Drawn], bool], *, boxes_below: bool) -> Hints:
    """The hints with those that are ``chosen`` as ignored areas in their place.

    Areas keep their order; clicks and strokes go above them, where they were drawn.

    Args:
        hints: Of one image.
        chosen: Whether a hint is to be ignored.
        boxes_below: Put the areas of boxes below all others, since a box that is left out says nothing of what is drawn
            within it. Else they go above, as a person's word that all in the box is to be ignored.
    """
    boxes = tuple(ignored_area(box) for box in hints.boxes if chosen(box))
    lines: tuple[Drawn, ...] = (*hints.clicks, *hints.scribbles)
    strokes = tuple(ignored_area(line) for line in lines if chosen(line))
    regions = tuple(ignored_area(region) if chosen(region) else region for region in hints.regions)
    return replace(
        hints,
        clicks=tuple(click for click in hints.clicks if not chosen(click)),
        scribbles=tuple(scribble for scribble in hints.scribbles if not chosen(scribble)),
        boxes=tuple(box for box in hints.boxes if not chosen(box)),
        regions=(*boxes, *regions, *strokes) if boxes_below else (*regions, *strokes, *boxes),
    )
