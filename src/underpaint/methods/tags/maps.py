"""Scores of the classes of an image from its response maps: normalised, restricted to its tags, with a background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from underpaint.hints.rasterise import UNKNOWN, Mask

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Background = Literal["constant", "power"]

EPS = 1e-5
"""Added to a map's maximum before dividing by it (PSA, RRM, SC-CAM)."""


@dataclass(frozen=True)
class Scores:
    """Scores of the classes that an image may contain.

    Args:
        classes: (K,) int64 indices into the class table. If there is a background, it comes first.
        values: (K, h, w) scores from 0 to 1.
        background: Whether the first class is the background.
    """

    classes: npt.NDArray[np.int64]
    values: Floats
    background: bool

    def labels(self) -> Mask:
        """(h, w) uint8 class with the highest score (the first of equal ones); 255 if there is no class."""
        if len(self.classes) == 0:
            return np.full(self.values.shape[1:], UNKNOWN, np.uint8)
        return np.asarray(self.classes[self.values.argmax(axis=0)], dtype=np.uint8)


def tagged(present: Flags, background: int | None) -> npt.NDArray[np.int64]:
    """Indices of the classes in the tags of an image, without the background."""
    found = np.flatnonzero(present)
    return found[found != background] if background is not None else found


def normalised(responses: Floats) -> Floats:
    """Maps (K, h, w), each divided by its maximum: ``cam / (max + 1e-5)``. A map of zeros does not change."""
    peak = responses.reshape(len(responses), -1).max(axis=1) if responses.size else np.zeros(len(responses))
    return np.asarray(responses / (peak[:, None, None] + EPS), dtype=np.float32)


def background_score(maps: Floats, *, kind: Background, level: float) -> Floats:
    """(h, w) background score from normalised maps (K, h, w): ``level``, or ``(1 - max_c cam_c)^level``."""
    if kind == "constant":
        return np.full(maps.shape[1:], level, np.float32)
    strongest = maps.max(axis=0) if len(maps) else np.zeros(maps.shape[1:], np.float32)
    return np.asarray(np.clip(1 - strongest, 0, 1) ** np.float32(level), dtype=np.float32)


def scored(responses: Floats, present: Flags, *, background: int | None, kind: Background, level: float) -> Scores:
    """Scores of the classes in the tags of an image, and of the background if the table has one.

    Without a background class, the tagged classes share all pixels. An image whose tags contain no class has no score
    at all, not even of the background, because nothing is known about its pixels.

    Args:
        responses: (C, h, w) >= 0.
        present: (C,) bool, True for classes that are known to be in the image.
        background: Index of the background class, or None.
        kind: Kind of the background score.
        level: As in `background_score`.
    """
    classes = tagged(present, background)
    maps = normalised(responses[classes])
    if background is None or len(classes) == 0:
        return Scores(classes, maps, background=False)
    behind = background_score(maps, kind=kind, level=level)
    return Scores(np.concatenate([[background], classes]), np.concatenate([behind[None], maps]), background=True)


def resized(maps: Floats, size: tuple[int, int]) -> Floats:
    """Resize maps (K, h, w): bilinearly to a larger size, by means over cells to a smaller size."""
    if maps.shape[1:] == size or len(maps) == 0:
        return np.ascontiguousarray(maps) if len(maps) else np.zeros((0, *size), np.float32)
    given = torch.from_numpy(np.ascontiguousarray(maps))[None]
    if size[0] <= maps.shape[1] and size[1] <= maps.shape[2]:
        return np.asarray(F.adaptive_avg_pool2d(given, size)[0].numpy())
    return np.asarray(F.interpolate(given, size, mode="bilinear", align_corners=False)[0].numpy())
