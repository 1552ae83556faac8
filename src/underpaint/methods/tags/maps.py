"""Response maps of one image as scores between classes: normalised, masked by the tags, with or without background."""

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
    """Scores of the classes that an image may be made of.

    Args:
        classes: (K,) int64 indices into the class table; the background first where there is one.
        values: (K, h, w) from 0 to 1.
        background: Whether the first is the background.
    """

    classes: npt.NDArray[np.int64]
    values: Floats
    background: bool

    def labels(self) -> Mask:
        """(h, w) uint8: the class with the highest score, the first of equal ones; 255 where there is no class."""
        if len(self.classes) == 0:
            return np.full(self.values.shape[1:], UNKNOWN, np.uint8)
        return np.asarray(self.classes[self.values.argmax(axis=0)], dtype=np.uint8)


def tagged(present: Flags, background: int | None) -> npt.NDArray[np.int64]:
    """Indices of the classes that an image is tagged with, without the background."""
    found = np.flatnonzero(present)
    return found[found != background] if background is not None else found


def normalised(responses: Floats) -> Floats:
    """Maps (K, h, w), each divided by its own maximum: ``cam / (max + 1e-5)``; a map of zeros stays so."""
    peak = responses.reshape(len(responses), -1).max(axis=1) if responses.size else np.zeros(len(responses))
    return np.asarray(responses / (peak[:, None, None] + EPS), dtype=np.float32)


def background_score(maps: Floats, *, kind: Background, level: float) -> Floats:
    """(h, w): a ``constant`` level, or ``(1 - max_c cam_c)^level`` for ``power``, from normalised maps (K, h, w)."""
    if kind == "constant":
        return np.full(maps.shape[1:], level, np.float32)
    strongest = maps.max(axis=0) if len(maps) else np.zeros(maps.shape[1:], np.float32)
    return np.asarray(np.clip(1 - strongest, 0, 1) ** np.float32(level), dtype=np.float32)


def scored(responses: Floats, present: Flags, *, background: int | None, kind: Background, level: float) -> Scores:
    """Scores of an image's tagged classes, and of the background where the table has one.

    Without a background class there is no background score, and the tagged classes share all pixels. An image that is
    tagged with no class has no score at all, not even a background's: nothing was said of its pixels.

    Args:
        responses: (C, h, w) >= 0.
        present: (C,) classes known to be in the image.
        background: Index of the background class, or None.
        kind: Of the background's score.
        level: See `background_score`.
    """
    classes = tagged(present, background)
    maps = normalised(responses[classes])
    if background is None or len(classes) == 0:
        return Scores(classes, maps, background=False)
    behind = background_score(maps, kind=kind, level=level)
    return Scores(np.concatenate([[background], classes]), np.concatenate([behind[None], maps]), background=True)


def resized(maps: Floats, size: tuple[int, int]) -> Floats:
    """Maps (K, h, w) at another size: bilinear when larger, means over cells when smaller."""
    if maps.shape[1:] == size or len(maps) == 0:
        return np.ascontiguousarray(maps) if len(maps) else np.zeros((0, *size), np.float32)
    given = torch.from_numpy(np.ascontiguousarray(maps))[None]
    if size[0] <= maps.shape[1] and size[1] <= maps.shape[2]:
        return np.asarray(F.adaptive_avg_pool2d(given, size)[0].numpy())
    return np.asarray(F.interpolate(given, size, mode="bilinear", align_corners=False)[0].numpy())
