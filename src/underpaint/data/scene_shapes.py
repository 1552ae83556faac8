"""Outlines of the shapes in generated scenes, as signed distances in pixels that are negative inside the shape.

The distances are accurate near the edge only. Every function takes a random generator, coordinates ``x, y (H, W)``
relative to the centre of the shape, and the radius ``r`` in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Shape = Callable[[np.random.Generator, Plane, Plane, float], Plane]
Point = tuple[float, float]


def pebble(rng: np.random.Generator, x: Plane, y: Plane, r: float) -> Plane:
    """A stretched, slightly lobed disc."""
    x, y, r = x * rng.uniform(1.0, 1.3), y, 0.9 * r
    angle = np.arctan2(y, x)
    outline = sum(rng.uniform(0.0, 0.2) / k * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4))
    return _plane(np.hypot(x, y) - r * (1 + outline))


def starfish(rng: np.random.Generator, x: Plane, y: Plane, r: float) -> Plane:
    """Five or six tapered arms from a small middle: deep concave corners, thin ends."""
    arms = int(rng.integers(5, 7))
    distance = np.hypot(x, y) - 0.26 * r
    for arm in range(arms):
        angle = 2 * np.pi * (arm + rng.uniform(-0.12, 0.12)) / arms
        reach = r * rng.uniform(0.85, 1.15)
        tip = (reach * float(np.cos(angle)), reach * float(np.sin(angle)))
        distance = np.minimum(distance, _limb(x, y, (0.0, 0.0), tip, 0.3 * r, 0.09 * r))
    return _plane(distance)


def weed(rng: np.random.Generator, x: Plane, y: Plane, r: float) -> Plane:
    """A bent stem with side blades, a few pixels wide: nearly all of it is boundary."""
    bend = rng.uniform(-0.5, 0.5)
    heights = np.linspace(-1.1 * r, 1.1 * r, 5)
    stem = [(float(bend * r * np.sin(1.6 * h / r)), float(h)) for h in heights]
    distance = np.full_like(x, np.inf)
    for i, (low, high) in enumerate(pairwise(stem)):
        distance = np.minimum(distance, _limb(x, y, low, high, 0.16 * r, 0.15 * r))
        side = r * rng.uniform(0.35, 0.75) * (1 if i % 2 else -1)
        tip = (high[0] + side, high[1] + r * rng.uniform(0.1, 0.45))
        distance = np.minimum(distance, _limb(x, y, high, tip, 0.15 * r, 0.09 * r))
    return _plane(distance)


def shell(rng: np.random.Generator, x: Plane, y: Plane, r: float) -> Plane:
    """A crescent: a disc with a round bite taken out."""
    bite = np.hypot(x - r * rng.uniform(0.55, 0.8), y) - r * rng.uniform(0.55, 0.75)
    return _plane(np.maximum(np.hypot(x, y) - r, -bite))


def ring(rng: np.random.Generator, x: Plane, y: Plane, r: float) -> Plane:
    """A band around a hole through which the ground shows."""
    return _plane(np.abs(np.hypot(x, y * rng.uniform(1.0, 1.3)) - 0.9 * r) - r * rng.uniform(0.2, 0.26))


def _limb(x: Plane, y: Plane, start: Point, end: Point, thick: float, thin: float) -> Plane:
    """Distance to a line segment whose half width decreases from ``thick`` to ``thin``."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
    across = np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)
    return _plane(across - thick - along * (thin - thick))


def _plane(values: NDArray[np.floating]) -> Plane:
    return values.astype(np.float32)
