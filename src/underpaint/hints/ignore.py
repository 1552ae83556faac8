"""Turns shapes into ignored areas, and handles labels of annotation tools that are not classes.

The pixels of a shape that is left out are unknown, and never background. The exporters of labelme turn shapes with the
label ``__ignore__`` into void and ``_background_`` into class 0. Other tools copy these labels together with the
shapes, so they are handled in every format. Labels that only one tool uses are handled in its reader.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from underpaint.core.classes import BACKGROUND_WORD, IGNORE_WORD, ClassTable
from underpaint.hints.rasterise import bitmap_of, stroke_pixels
from underpaint.hints.types import IGNORED, Box, Click, Hints, Point, Polygon, Region, Scribble, Shape, Tags

LARGEST = 1 << 26
"""If the rectangle around a stroke has at most this number of pixels, only the pixels of the stroke are ignored. For a
larger stroke the whole rectangle is ignored."""


def ignored_area(hint: Shape) -> Region:
    """Return an ignored area with the pixels that a click or stroke labels, or with all pixels of a box or area."""
    if isinstance(hint, Box):
        return _rectangle(hint.x0, hint.y0, hint.x1, hint.y1)
    if isinstance(hint, Click):
        return _stroke(((hint.x, hint.y),), 0.0)
    if isinstance(hint, Scribble):
        return _stroke(hint.points, hint.width)
    return replace(hint, name=IGNORED)


def thin(points: Sequence[Point]) -> Scribble:
    """Return a stroke to be ignored for a shape that has points but no area, whose extent is therefore unknown.

    Such shapes are polygons of one or two points, boxes without width, and circles without radius.
    """
    return Scribble(IGNORED, tuple(points), 1.0)


def has_area(ring: Sequence[Point]) -> bool:
    """Whether the points of a ring do not all lie on one line."""
    if len(ring) < 3:
        return False
    (x0, y0), (x1, y1), (x2, y2) = ring[:3]
    if (x1 - x0) * (y2 - y0) != (y1 - y0) * (x2 - x0):
        return True  # the usual case needs no arrays, which saves time for millions of rings
    x, y = np.clip(np.array(ring, np.float64) - ring[0], -LARGEST, LARGEST).T
    far = int(np.argmax(x * x + y * y))
    return bool((x * y[far] != y * x[far]).any())


def set_aside(hints: Hints) -> Hints:
    """Turn the shapes that a reader named `IGNORED` (without a class, or without an area) into ignored areas.

    Areas keep their order. Other shapes are put below all areas.
    """
    return ignore_where(hints, lambda hint: hint.name == IGNORED, below=(Click, Scribble, Box))


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return Polygon(IGNORED, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def _stroke(points: tuple[Point, ...], width: float) -> Region:
    xs, ys = zip(*points, strict=True)
    left, top = math.floor(min(xs) - width), math.floor(min(ys) - width)
    columns, rows = math.ceil(max(xs) + width) - left + 1, math.ceil(max(ys) + width) - top + 1
    if rows * columns > LARGEST or max(abs(left), abs(top)) > LARGEST:  # `check_hints` refuses such coordinates
        return _rectangle(left, top, left + columns, top + rows)
    area = np.zeros((rows, columns), bool)
    area[stroke_pixels(np.array(points, np.float64) - (left, top), width, (rows, columns))] = True
    made = bitmap_of(IGNORED, area, x=left, y=top)
    assert made is not None  # a stroke labels at least the pixels of its points
    return made


def ignore_where(hints: Hints, chosen: Callable[[Shape], bool], *, below: Collection[type[Shape]]) -> Hints:
    """Turn all chosen shapes into ignored areas. Areas keep their order.

    Args:
        hints: The hints of one image.
        chosen: Tells whether a shape is to be ignored.
        below: The kinds among clicks, strokes and boxes whose pixels are put below all areas, so that they remove
            nothing from them. The other kinds are put above all areas.
    """
    others: tuple[Shape, ...] = (*hints.boxes, *hints.clicks, *hints.scribbles)
    ignored = [shape for shape in others if chosen(shape)]
    kept = (shape for shape in others if not chosen(shape))
    regions = (
        *(ignored_area(shape) for shape in ignored if type(shape) in below),
        *(ignored_area(region) if chosen(region) else region for region in hints.regions),
        *(ignored_area(shape) for shape in ignored if type(shape) not in below),
    )
    return replace(hints, shapes=(*kept, *regions))


def resolve_labels(hints: Hints, classes: ClassTable) -> Hints:
    """Turn shapes to be ignored into ignored areas, and the label ``_background_`` into the background class.

    The label ``_background_`` is kept if the table has a class of this name or no background class.
    """
    names = set(hints.names())
    if IGNORE_WORD in names:
        hints = _without_tag(ignore_where(hints, lambda hint: hint.name == IGNORE_WORD, below=()))
    if BACKGROUND_WORD not in names or BACKGROUND_WORD in classes.names or classes.background is None:
        return hints
    return _renamed(hints, BACKGROUND_WORD, classes.names[classes.background])


def class_words(names: tuple[str, ...], background: str) -> tuple[str, ...]:
    """Return the names that a file declares as classes, without repetitions and without labels to be ignored."""
    words = (background if name == BACKGROUND_WORD else name for name in names)
    return tuple(dict.fromkeys(word for word in words if word != IGNORE_WORD))


def _without_tag(hints: Hints) -> Hints:
    ignored = frozenset({IGNORE_WORD})
    tags = hints.tags and Tags(hints.tags.present - ignored, hints.tags.absent - ignored)
    return replace(hints, tags=tags, boxed=hints.boxed - ignored)


def _renamed(hints: Hints, word: str, name: str) -> Hints:
    def names(every: frozenset[str]) -> frozenset[str]:
        return frozenset(name if one == word else one for one in every)

    return replace(
        hints,
        shapes=tuple(replace(one, name=name) if one.name == word else one for one in hints.shapes),
        boxed=names(hints.boxed),
        tags=hints.tags and Tags(names(hints.tags.present), names(hints.tags.absent)),
    )
