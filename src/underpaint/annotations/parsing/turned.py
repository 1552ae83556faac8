"""Converts rotated rectangles and ellipses into boxes and polygons."""

from __future__ import annotations

import math

from underpaint.hints.border import cut_ring
from underpaint.hints.types import Box, Point, Polygon

ANGLES = "angles of rotated boxes (the upright box around each is kept)"
"""The reason for which readers leave out and count angles."""

FLATNESS = 0.02
"""Largest distance in pixels of the polygon of an ellipse from the ellipse; it is far below the accuracy of a hand."""

MAX_VERTICES = 1024
"""Largest number of vertices of an ellipse, reached at a radius of 4,000 pixels."""


def turn(point: Point, pivot: Point, degrees: float) -> Point:
    """A point rotated about a pivot, clockwise on the screen (y is down). Multiples of 90 degrees are exact."""
    quarters = degrees / 90
    if quarters == int(quarters):
        cosine, sine = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarters) % 4]
    else:
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = point[0] - pivot[0], point[1] - pivot[1]
    return pivot[0] + x * cosine - y * sine, pivot[1] + x * sine + y * cosine


def turned_box(box: Box, pivot: Point, degrees: float, size: tuple[int, int]) -> Box:
    """The axis-parallel box around a box that is rotated about ``pivot``, cut at the border of the image (H, W).

    A box that is not rotated is returned unchanged. The result contains the whole object, as a box hint must.
    """
    if degrees % 360 == 0:
        return box
    corners = [(x, y) for x in (box.x0, box.x1) for y in (box.y0, box.y1)]
    xs, ys = zip(*(turn(corner, pivot, degrees) for corner in corners), strict=True)
    height, width = size
    return Box(box.name, max(min(xs), 0.0), max(min(ys), 0.0), min(max(xs), float(width)), min(max(ys), float(height)))


def ellipse(name: str, centre: Point, radii: Point, degrees: float, size: tuple[int, int]) -> Polygon | None:
    """A filled ellipse as a polygon, cut at the border of the image (H, W); None if it is completely outside.

    Args:
        name: The class.
        centre: x and y.
        radii: The radii along x and along y before the rotation, greater than 0.
        degrees: The angle of the rotation about the centre, clockwise on the screen.
        size: (H, W).
    """
    half_step = max(math.acos(1 - min(FLATNESS / max(radii), 0.5)), math.pi / MAX_VERTICES)
    count = max(math.ceil(math.pi / half_step), 8)
    angles = (2 * math.pi * i / count for i in range(count))
    ring = [(centre[0] + radii[0] * math.cos(a), centre[1] + radii[1] * math.sin(a)) for a in angles]
    inside = cut_ring([turn(point, centre, degrees) for point in ring], size)
    return Polygon(name, inside) if len(inside) >= 3 else None
