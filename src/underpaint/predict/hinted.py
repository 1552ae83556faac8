"""Masks of photographs from their features: of hinted ones within the classes that their hints leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.data.samples import TrainingImage
from underpaint.features.bank import ImageFeatures
from underpaint.features.linear import IMPOSSIBLE
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.hints.types import Kind
from underpaint.kernels.meanfield import KeptKernels, mean_field
from underpaint.methods.local_global.combine import AVERAGED_LABELS
from underpaint.models.linear import LinearHead
from underpaint.predict.sharpen import sharpened

Flags = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

SHARPNESS = 0.5
"""Factor on the scores before the CRF, which then has more to decide. It was chosen on hinted images of the validation
splits of MSRC-21 and voc_animals (docs/methods/quick.md)."""


@dataclass(frozen=True)
class LinearMasks:
    """A linear decoder applied to features of photographs.

    Args:
        head: The decoder.
        background: Index of the background class, or None.
        crf: Whether the borders of masks follow the edges of the photograph, by a dense CRF.
        kept: What stays of one photograph for its next mask.
    """

    head: LinearHead
    background: int | None
    crf: bool = True
    kept: KeptKernels | None = None

    @property
    def learned(self) -> Flags:
        """(C,) bool, the classes that some hint shows."""
        bias = self.head.parts[0].bias
        assert isinstance(bias, Tensor)
        return np.asarray(bias.detach().numpy() > IMPOSSIBLE / 2)

    def scores(self, features: ImageFeatures) -> Tensor:
        """(C, h, w) class scores on the grid of the finest level, which covers the padded photograph."""
        return features.scores(self.head)

    def plain(self, features: ImageFeatures, rgb: Pixels, size: tuple[int, int]) -> Mask:
        """(H, W) most probable of all classes.

        Args:
            features: Of the photograph at the working size.
            rgb: (h, w, B) photograph at that size.
            size: (H, W) of the mask.
        """
        scores = features.enlarged(self.scores(features), (rgb.shape[0], rgb.shape[1]))
        return _best(torch.from_numpy(sharpened(scores.softmax(0).numpy(), rgb)) if self.crf else scores, size)

    def hinted(self, features: ImageFeatures, still: TrainingImage, labelled: Mask) -> Mask:
        """(H, W) classes of a hinted photograph at its own size.

        No pixel gets a class that its hints rule out: one that the photograph is said not to show, or, in a box,
        another than the box's or the background. Where the hints name two classes or more, no pixel gets a further
        class. Labelled pixels keep their class.

        Args:
            features: Of the photograph at the working size.
            still: The photograph and its hints.
            labelled: (H, W) class of the pixels that a person labelled, 255 elsewhere.
        """
        classes = named_classes(still, self.learned, self.background)
        seen = (still.rgb.shape[0], still.rgb.shape[1])
        scores = SHARPNESS * self.scores(features)[torch.from_numpy(classes)]
        within = _within(features.enlarged(scores, seen).softmax(0).numpy(), still, classes)
        if self.crf and len(classes) > 1:
            within = _within(mean_field(within, still.picture, AVERAGED_LABELS, self.kept), still, classes)
        index = classes.astype(np.uint8)[_best(torch.from_numpy(np.ascontiguousarray(within)), labelled.shape)]
        return np.where(labelled == UNKNOWN, index, labelled)


def named_classes(still: TrainingImage, learned: Flags, background: int | None) -> npt.NDArray[np.intp]:
    """(K,) indices of the classes that a hinted photograph may show.

    They are those that its hints draw or tag, and the background around boxes. Where that leaves fewer than two of the
    learned ones, there is nothing to tell apart within them: then all learned classes but those said to be absent.
    """
    named = still.present.copy()
    named[still.seeds[still.seeds != UNKNOWN]] = True
    if background is not None and Kind.BOX in still.hints.kinds():
        named[background] = True
    for may in (named & learned & still.allowed, learned & still.allowed):
        if may.sum() > 1:
            return np.flatnonzero(may)
    return np.flatnonzero(still.allowed if still.allowed.any() else learned)


def _within(probabilities: Probabilities, still: TrainingImage, classes: npt.NDArray[np.intp]) -> Probabilities:
    """Probabilities of ``classes``, 0 where a pixel's hints rule a class out and leave it another."""
    sets = still.candidates.sets[:, classes]
    sets = sets | ~sets.any(axis=1, keepdims=True)
    return np.asarray(probabilities * sets.T[:, still.candidates.index], np.float32)


def _best(planes: Tensor, size: tuple[int, ...]) -> Mask:
    """(H, W) index of the greatest of (K, h, w), enlarged one by one: all at once would take K H W numbers."""
    best = torch.full(size, -torch.inf)
    index = torch.zeros(size, dtype=torch.uint8)
    for number, plane in enumerate(planes):
        full = plane if plane.shape == size else _enlarged(plane, size)
        above = full > best
        index[above] = number
        best = torch.maximum(best, full)
    return np.asarray(index.numpy())


def _enlarged(plane: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.interpolate(plane[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
