"""Pictures of masks and hints for people to look at: NumPy arrays in, NumPy arrays out."""

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
"""Hints are drawn thicker by this share of the image diagonal, or a click of one pixel could not be seen."""

HALO = 1.5
"""Pixels of white around a drawn hint, so that it stands out from any photograph."""

FADE = 0.25
"""How far the photograph under hints is faded towards white."""


def colourise(index: Mask, classes: ClassTable) -> Rgb:
    """A mask (H, W) in the colours of its classes (H, W, 3); void in the table's off-white."""
    lookup = np.array(classes.flat_palette(), np.uint8).reshape(VOID + 1, 3)
    return np.asarray(lookup[index])


def overlay(rgb: Rgb, index: Mask, classes: ClassTable, *, alpha: float) -> Rgb:
    """A photograph (H, W, 3) with its mask (H, W) laid over it, each region rimmed in its full colour.

    The background class and void stay clear, so that the photograph shows where nothing is claimed.

    Args:
        rgb: The photograph.
        index: Class indices, 255 for void.
        classes: The class table of the mask.
        alpha: Strength of the colour, 0 (photograph alone) to 1 (colour alone).

    Raises:
        DataError: the two differ in size.
    """
    _same_size(rgb, index)
    clear = index == VOID
    if classes.background is not None:
        clear |= index == classes.background
    strength = np.where(_rim(index), 1.0, alpha)
    return _blend(rgb, colourise(index, classes), np.where(clear, 0.0, strength))


def draw_hints(rgb: Rgb, seeds: Mask, classes: ClassTable) -> Rgb:
    """A photograph (H, W, 3), faded a little, with the labelled pixels ``seeds`` (H, W; 255 = unknown) drawn on it.

    Strokes are drawn thicker than they are, with a white rim. Raises `DataError` where the two differ in size.
    """
    _same_size(rgb, seeds)
    radius = max(1.0, HINT_RADIUS * math.hypot(*seeds.shape))
    pen, halo = _grown(seeds, radius), _grown(seeds, radius + HALO)
    faded = _blend(rgb, np.full_like(rgb, 255), np.full(seeds.shape, FADE))
    rimmed = np.where((halo != VOID)[..., None], np.uint8(255), faded)
    return np.where((pen != VOID)[..., None], colourise(pen, classes), rimmed)


def _same_size(rgb: Rgb, index: Mask) -> None:
    if rgb.shape != (*index.shape, 3):
        raise DataError(
            f"a photograph of shape {rgb.shape} and a mask of shape {index.shape}", accepted="(H, W, 3) and (H, W)"
        )


def _blend(below: Rgb, above: Rgb, strength: NDArray[np.float64]) -> Rgb:
    mixed = below + strength[..., None] * (above.astype(np.float64) - below)
    return np.rint(mixed).astype(np.uint8)


def _rim(index: Mask) -> NDArray[np.bool_]:
    """Pixels with another class to the left, right, above or below."""
    padded = np.pad(index, 1, mode="edge")
    beside = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.asarray(np.logical_or.reduce([other != index for other in beside]), dtype=np.bool_)


def _grown(seeds: Mask, radius: float) -> Mask:
    """Seeds spread over a disc; where two meet, the nearer one wins."""
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
