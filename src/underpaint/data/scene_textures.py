"""Textures of the shapes in generated scenes: patterns with values of about -1 to 1 that change the colours.

Every function takes a random generator, coordinates ``x, y (H, W)`` relative to the centre of the shape, and a
``grain`` in pixels that is proportional to the image's size, so that a scene is the same at every size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]
Texture = Callable[[np.random.Generator, Plane, Plane, float], Plane]


def noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Plane:
    """Smooth Gaussian noise with standard deviation 1 and a correlation of ``sigma`` pixels."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), sigma, mode="reflect")
    return np.asarray(field / (field.std() + 1e-6), dtype=np.float32)


def mottled(rng: np.random.Generator, x: Plane, y: Plane, grain: float) -> Plane:
    """Speckles over soft patches, like stone."""
    return np.asarray(0.5 * noise(rng, x.shape, 0.6 * grain) + 0.45 * noise(rng, x.shape, 3.0 * grain), np.float32)


def dotted(rng: np.random.Generator, x: Plane, y: Plane, grain: float) -> Plane:
    """Bright dots on a turned grid."""
    u, v = _turned(rng, x, y)
    step = np.pi / (2.6 * grain)
    return np.asarray(1.6 * np.clip(np.cos(u * step) * np.cos(v * step), 0, 1) - 0.5, np.float32)


def striped(rng: np.random.Generator, x: Plane, y: Plane, grain: float) -> Plane:
    """Fine straight stripes."""
    u, _ = _turned(rng, x, y)
    return np.asarray(np.sin(u * np.pi / (1.7 * grain)), np.float32)


def concentric(rng: np.random.Generator, x: Plane, y: Plane, grain: float) -> Plane:
    """Growth rings around the centre."""
    return np.asarray(np.sin(np.hypot(x, y) * np.pi / (2.4 * grain) + rng.uniform(0, 2 * np.pi)), np.float32)


def banded(rng: np.random.Generator, x: Plane, y: Plane, grain: float) -> Plane:
    """Bands across, around the centre: two tones in turn, as on a lifebuoy."""
    bands = int(rng.integers(4, 7))
    return np.asarray(np.tanh(4 * np.sin(bands * np.arctan2(y, x))), np.float32)


def ground(rng: np.random.Generator, x: Plane, y: Plane, grain: float) -> Plane:
    """Sand: noise of three scales, and in half of the scenes ripples as fine as some class's stripes."""
    sand = sum(weight * noise(rng, x.shape, s * grain) for weight, s in ((0.35, 0.5), (0.3, 2.0), (0.35, 8.0)))
    if rng.random() < 0.5:
        u, _ = _turned(rng, x, y)
        sand = sand + 0.5 * np.sin(u * np.pi / (grain * rng.uniform(2.0, 4.0)) + noise(rng, x.shape, 6 * grain))
    return np.asarray(sand, np.float32)


def _turned(rng: np.random.Generator, x: Plane, y: Plane) -> tuple[Plane, Plane]:
    angle = rng.uniform(0, np.pi)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x
