"""Gives all pixels without an annotation one class, if the user says so. Nothing else turns unknown into a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from underpaint.core.classes import ClassTable
from underpaint.hints.rasterise import bitmap_of, box_slices, covered_by, stroke_pixels
from underpaint.hints.types import Hints, Kind, Polygon, Region


def fill_rest(hints: Hints, rest: str, classes: ClassTable) -> Hints:
    """Return the hints of an image, in which all pixels without an annotation have the class ``rest``.

    If the image has areas, a region below them covers every pixel outside areas, boxes and strokes. If it has only
    boxes and ``rest`` is the background, the boxes are declared complete, so that only background is possible outside
    them. Ignored areas remain unknown. Other images are not changed: a click does not say that the rest is known, a
    label file states its unknown pixels itself, and shapes that were left out without a known place may be anywhere.

    Args:
        hints: Hints with the size of the image. Without a size they are not changed.
        rest: The name of the class.
        classes: The class table.

    Raises:
        HintError: The table has no such class.
    """
    (index,) = classes.indices([rest], "--rest")
    if hints.size is None or hints.mask is not None or hints.unplaced:
        return hints
    if Kind.MASK in hints.kinds():
        below = _below(hints, rest, hints.size)
        return hints if below is None else replace(hints, shapes=(below, *hints.shapes))
    if hints.boxes and index == classes.background:
        things = frozenset(classes.names[i] for i in classes.foreground) - set(hints.drawn())
        return replace(hints, boxed=hints.boxed | things | {box.name for box in hints.boxes})
    return hints


def fill_all(hints: Mapping[str, Hints], rest: str, classes: ClassTable) -> tuple[dict[str, Hints], list[str]]:
    """Apply `fill_rest` to every image. Also return lines with the numbers of changed and of unchangeable images.

    Raises:
        HintError: The table has no such class.
    """
    filled = {name: fill_rest(one, rest, classes) for name, one in hints.items()}
    changed = sum(filled[name] != one for name, one in hints.items())
    unplaced = sum(bool(one.unplaced) for one in hints.values())
    lines = [f"{changed} images: all pixels without an annotation are {rest!r}"]
    if unplaced:
        lines.append(f"{unplaced} images: {UNPLACED}")
    return filled, lines


UNPLACED = "pixels without an annotation stay unknown, because shapes with an unknown place were left out"


def _below(hints: Hints, rest: str, size: tuple[int, int]) -> Region | None:
    """Return a region of the pixels that nothing covers. If there are only areas, it is the whole image below them."""
    covered = np.zeros(size, bool)
    for box in hints.boxes:
        covered[box_slices(np.array([box.x0, box.y0, box.x1, box.y1]), size)] = True
    for points, width in _strokes(hints):
        covered[stroke_pixels(np.array(points, np.float64), width, size)] = True
    free = ~(covered | covered_by(hints.regions, size))
    if not free.any():
        return None
    if covered.any():
        return bitmap_of(rest, free)
    bottom, right = (float(side) for side in size)
    return Polygon(rest, ((0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)))


def _strokes(hints: Hints) -> list[tuple[list[tuple[float, float]], float]]:
    lines = [(list(scribble.points), scribble.width) for scribble in hints.scribbles]
    return lines + [([(click.x, click.y)], 0.0) for click in hints.clicks]
