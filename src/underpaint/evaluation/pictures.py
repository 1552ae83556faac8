"""Draws pictures of masks and hints as NumPy arrays."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError

Rgb = NDArray[np.uint8]
Mask = NDArray[np.uint8]

HINT_RADIUS = 0.005
"""Hints are drawn wider by this fraction of the image diagonal, so that a click of one pixel is visible."""

HALO = 1.5
"""Width of the white border of a drawn hint in pixels, which makes it visible on any photograph."""

FADE = 0.25
"""Brightness that is added to the photograph under hints: 0 leaves it unchanged, 1 makes it white."""


def colourise(index: Mask, classes: ClassTable) -> Rgb:
    """A mask (H, W) in the colours of its classes (H, W, 3), with void in off-white."""
    lookup = np.array(classes.flat_palette(), np.uint8).reshape(VOID + 1, 3)
    return np.asarray(lookup[index])


def overlay(rgb: Rgb, index: Mask, classes: ClassTable, *, alpha: float) -> Rgb:
    """A photograph (H, W, 3) with its mask (H, W) drawn over it; the outline of each region has the full colour.

    The photograph is unchanged where the mask is background or void.

    Args:
        rgb: The photograph.
        index: Class indices, 255 for void.
        classes: The class table of the mask.
        alpha: Strength of the colour, 0 (only the photograph) to 1 (only the colour).

    Raises:
        DataError: The sizes differ.
    """
    _same_size(rgb, index)
    clear = index == VOID
    if classes.background is not None:
        clear |= index == classes.background
    strength = np.where(_outline(index), 1.0, alpha)
    return _blend(rgb, colourise(index, classes), np.where(clear, 0.0, strength))


def draw_hints(rgb: Rgb, seeds: Mask, classes: ClassTable) -> Rgb:
    """A brighter photograph (H, W, 3) with the labelled pixels ``seeds`` (H, W; 255 = unknown) drawn on it.

    Strokes are drawn wider than they are, with a white border. Raises `DataError` if the sizes differ.
    """
    _same_size(rgb, seeds)
    radius = max(1.0, HINT_RADIUS * math.hypot(*seeds.shape))
    pen, halo = _grown(seeds, radius), _grown(seeds, radius + HALO)
    faded = _blend(rgb, np.full_like(rgb, 255), np.full(seeds.shape, FADE))
    with_border = np.where((halo != VOID)[..., None], np.uint8(255), faded)
    return np.where((pen != VOID)[..., None], colourise(pen, classes), with_border)


def _same_size(rgb: Rgb, index: Mask) -> None:
    if rgb.shape != (*index.shape, 3):
        raise DataError(
            f"a photograph of shape {rgb.shape} and a mask of shape {index.shape}", accepted="(H, W, 3) and (H, W)"
        )


def _blend(below: Rgb, above: Rgb, strength: NDArray[np.float64]) -> Rgb:
    mixed = below + strength[..., None] * (above.astype(np.float64) - below)
    return np.rint(mixed).astype(np.uint8)


def _outline(index: Mask) -> NDArray[np.bool_]:
    """Pixels with another class on the left, on the right, above or below."""
    padded = np.pad(index, 1, mode="edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.asarray(np.logical_or.reduce([other != index for other in neighbours]), dtype=np.bool_)


def _grown(seeds: Mask, radius: float) -> Mask:
    """Each pixel gets the class of the nearest seed within ``radius``, or 255."""
    reach = int(radius)
    offsets = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    grown = seeds.copy()
    padded = np.pad(seeds, reach, constant_values=VOID)
    height, width = seeds.shape
    for dy, dx in sorted(offsets, key=lambda step: math.hypot(*step)):
        if math.hypot(dy, dx) <= radius:
            moved = padded[reach + dy : reach + dy + height, reach + dx : reach + dx + width]
            np.copyto(grown, moved, where=grown == VOID)
    return grown


def png(pixels: Rgb) -> bytes:
    """The bytes of a PNG file of a picture (H, W, 3) uint8."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
