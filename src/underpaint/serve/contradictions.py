"""Finds marks of two people that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from underpaint.annotations.strokes.fold import Mark
from underpaint.hints.rasterise import region_area, stroke_pixels
from underpaint.hints.types import Bitmap as BitmapShape
from underpaint.hints.types import Click, Polygon, Scribble
from underpaint.serve.site import UNREADABLE, Site


def contradictions(site: Site) -> Iterator[tuple[str, tuple[str, str], tuple[str, str]]]:
    """Yield the photograph, the two people, and their two classes, once for each such combination.

    Two marks (strokes, clicks or areas) contradict each other if they are of different people, have different classes,
    and share a pixel. Boxes contradict nothing, because they may contain other objects.
    """
    for name in site.fold.images():
        one = site.by_name.get(name)
        if one is None or len({by for _, _, by in site.summary(name).marks}) < 2 or one.size == UNREADABLE:
            continue
        marks = site.marks(name).marks
        covered = [(mark, pixels) for mark in marks if len(pixels := covered_pixels(mark, one.size))]
        said = set()
        for place, (first, its) in enumerate(covered):
            for second, others in covered[place + 1 :]:
                if first.by == second.by or first.shape.name == second.shape.name:
                    continue
                pair = tuple(sorted([(first.by, first.shape.name), (second.by, second.shape.name)]))
                if pair not in said and len(np.intersect1d(its, others)):
                    said.add(pair)
                    yield name, (pair[0][0], pair[1][0]), (pair[0][1], pair[1][1])


def covered_pixels(mark: Mark, size: tuple[int, int]) -> np.ndarray:
    """Indices of the pixels of an image (height, width) that a mark labels."""
    shape = mark.shape
    if isinstance(shape, Click):
        rows, columns = stroke_pixels(np.array([[shape.x, shape.y]]), 0, size)
    elif isinstance(shape, Scribble):
        rows, columns = stroke_pixels(np.array(shape.points, np.float64), shape.width, size)
    elif isinstance(shape, Polygon | BitmapShape):
        (top, left), area = region_area(shape, size)
        inside = np.argwhere(area)
        rows, columns = inside[:, 0] + top.start, inside[:, 1] + left.start
    else:
        return np.empty(0, np.int64)
    return np.unique(np.asarray(rows, np.int64) * size[1] + columns)
