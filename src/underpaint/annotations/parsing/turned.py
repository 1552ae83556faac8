"""Turns rectangles and ellipses at an angle into boxes and polygons."""

from __future__ import annotations

import math

from underpaint.hints.border import cut_ring
from underpaint.hints.types import Box, Point, Polygon

ANGLES = "angles of turned boxes (the box around each is kept)"
"""The reason under which readers count angles that they leave out."""

FLATNESS = 0.02
"""How many pixels the chords of an ellipse may differ from it: a fiftieth, far less than a hand can place."""

MAX_VERTICES = 1024
"""The vertices of the largest ellipse. At a radius of 4,000 pixels its chords differ from it by `FLATNESS`."""


def turn(point: Point, pivot: Point, degrees: float) -> Point:
    """A point turned about a pivot, clockwise on the screen (y is down). Quarter turns are exact."""
    quarters = degrees / 90
    if quarters == int(quarters):
        cosine, sine = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarters) % 4]
    else:
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = point[0] - pivot[0], point[1] - pivot[1]
    return pivot[0] + x * cosine - y * sine, pivot[1] + x * sine + y * cosine


def turned_box(box: Box, pivot: Point, degrees: float, size: tuple[int, int]) -> Box:
    """The axis-parallel box around a box that is turned about ``pivot``, cut at the border of the image (H, W).

    A box that is not turned is returned as it is. The result contains the object, as a box hint must, and more beside
    it.
    """
    if degrees % 360 == 0:
        return box
    corners = [(x, y) for x in (box.x0, box.x1) for y in (box.y0, box.y1)]
    xs, ys = zip(*(turn(corner, pivot, degrees) for corner in corners), strict=True)
    height, width = size
    return Box(box.name, max(min(xs), 0.0), max(min(ys), 0.0), min(max(xs), float(width)), min(max(ys), float(height)))


def ellipse(name: str, centre: Point, radii: Point, degrees: float, size: tuple[int, int]) -> Polygon | None:
    """A filled ellipse as a polygon, cut at the border of the image (H, W); None where nothing is left.

    Args:
        name: The class.
        centre: x and y.
        radii: The radii along x and along y before the turn, greater than 0.
        degrees: The angle of the turn about the centre, clockwise on the screen.
        size: (H, W).
    """
    half_step = max(math.acos(1 - min(FLATNESS / max(radii), 0.5)), math.pi / MAX_VERTICES)
    count = max(math.ceil(math.pi / half_step), 8)
    angles = (2 * math.pi * i / count for i in range(count))
    ring = [(centre[0] + radii[0] * math.cos(a), centre[1] + radii[1] * math.sin(a)) for a in angles]
    inside = cut_ring([turn(point, centre, degrees) for point in ring], size)
    return Polygon(name, inside) if len(inside) >= 3 else None
