"""Boundary IoU, pooled over a split: how well outlines are drawn, which the IoU of large regions hides.

Paper: Cheng, Girshick, Dollar, Berg and Kirillov, "Boundary IoU", CVPR 2021. The **band** of a class is the part of it
that lies within ``d`` pixels of its outline; the score is the IoU of the true and the predicted band. As in the
authors' code, ``d`` is 2 % of the image diagonal, at least one pixel, distances are those of a king on a chessboard
(3 x 3 erosions), and the edge of the image counts as an outline.

Departure: void. The authors' data has none. Here void is no class in the truth and in the prediction, so its edge is an
outline of both: what is drawn inside void cannot matter, and a prediction that is right everywhere else scores 100.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from underpaint.core.classes import VOID
from underpaint.core.errors import DataError
from underpaint.evaluation.confusion import Counts, Mask, require_classes, require_masks

RATIO = 0.02
"""Width of the band as a share of the image diagonal: the paper's choice for every data set but high-detail ones."""


@dataclass(frozen=True)
class BoundaryScores:
    """Pooled boundary IoU from 0 to 100.

    Args:
        mean: Mean over the classes that the ground truth shows.
        iou: Boundary IoU a class; None where the class is absent from the ground truth.
    """

    mean: float
    iou: tuple[float | None, ...]


def band_width(height: int, width: int) -> int:
    """Width d of the band in pixels for an image of this size, at least 1."""
    return max(1, round(RATIO * math.hypot(height, width)))


def boundary_counts(truth: Mask, prediction: Mask, classes: int, *, where: object = None) -> Counts:
    """Pixels in the bands of one image; the counts of several images add up.

    Args:
        truth: Ground truth (H, W), 255 for void.
        prediction: Predicted classes (H, W).
        classes: Number of classes C.
        where: Image or file named in errors.

    Returns:
        Counts (3, C): pixels in both bands, in the true band, in the predicted band.

    Raises:
        DataError: as `underpaint.evaluation.confusion.confusion`.
    """
    require_masks(truth, prediction, where)
    known = truth != VOID
    require_classes("the ground truth", np.bincount(truth[known], minlength=classes), classes, where)
    require_classes("the prediction", np.bincount(prediction[known], minlength=classes), classes, where)
    seen = np.where(known, prediction, np.uint8(VOID))
    d = band_width(*truth.shape)
    true, called = _band(truth, d), _band(seen, d)
    bands = (truth[true & called & (truth == seen)], truth[true], seen[called])
    return np.stack([np.bincount(labels, minlength=classes) for labels in bands]).astype(np.int64)


def boundary_scores(counts: Counts) -> BoundaryScores:
    """Pooled boundary IoU of summed counts (3, C). Raises `DataError` where no pixel has a class."""
    both, true, called = (row.tolist() for row in counts)
    iou = tuple(100.0 * b / (t + c - b) if t else None for b, t, c in zip(both, true, called, strict=True))
    known = [value for value in iou if value is not None]
    if not known:
        raise DataError("there is no outline to score: every pixel of the ground truth is void")
    return BoundaryScores(sum(known) / len(known), iou)


def _band(labels: Mask, d: int) -> NDArray[np.bool_]:
    """Pixels with a class that see another label, void or the outside within ``d`` pixels: all classes in one pass."""
    side = 2 * d + 1
    highest = ndimage.maximum_filter(labels, side, mode="constant", cval=VOID)
    lowest = ndimage.minimum_filter(labels, side, mode="nearest")
    return np.asarray((labels != VOID) & ((highest != labels) | (lowest != labels)), dtype=np.bool_)
