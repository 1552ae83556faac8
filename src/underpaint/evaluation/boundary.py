"""Boundary IoU, pooled over a split. It measures the quality of outlines, which has little influence on the IoU.

Paper: Cheng, Girshick, Dollar, Berg and Kirillov, "Boundary IoU", CVPR 2021. The **band** of a class consists of its
pixels within ``d`` pixels of its outline; the score is the IoU of the true and the predicted band. As in the authors'
code, ``d`` is 2 % of the image diagonal and at least one pixel, distances are Chebyshev distances (3 x 3 erosions), and
the edge of the image counts as an outline.

Departure: the authors' data has no void pixels. Here void pixels have no class in the truth and in the prediction, so
that their edge is an outline of both. The prediction inside void has no influence, and a prediction that is correct
everywhere else has the score 100.
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
"""Width of the band as a fraction of the image diagonal, as in the paper for all data sets without very fine masks."""


@dataclass(frozen=True)
class BoundaryScores:
    """Pooled boundary IoU from 0 to 100.

    Args:
        mean: Mean over the classes that the ground truth shows.
        iou: Boundary IoU of each class; None if the class is absent from the ground truth.
    """

    mean: float
    iou: tuple[float | None, ...]


def band_width(height: int, width: int) -> int:
    """Width d of the band in pixels for an image of this size, at least 1."""
    return max(1, round(RATIO * math.hypot(height, width)))


def boundary_counts(truth: Mask, prediction: Mask, classes: int, *, where: object = None) -> Counts:
    """Count the pixels in the bands of one image. The counts of several images can be added.

    Args:
        truth: Ground truth (H, W), 255 for void.
        prediction: Predicted classes (H, W).
        classes: Number of classes C.
        where: Image or file named in errors.

    Returns:
        Counts (3, C): pixels in both bands, in the true band, in the predicted band.

    Raises:
        DataError: As `underpaint.evaluation.confusion.confusion`.
    """
    require_masks(truth, prediction, where)
    known = truth != VOID
    require_classes("the ground truth", np.bincount(truth[known], minlength=classes), classes, where)
    require_classes("the prediction", np.bincount(prediction[known], minlength=classes), classes, where)
    counted = np.where(known, prediction, np.uint8(VOID))
    d = band_width(*truth.shape)
    true, predicted = _band(truth, d), _band(counted, d)
    bands = (truth[true & predicted & (truth == counted)], truth[true], counted[predicted])
    return np.stack([np.bincount(labels, minlength=classes) for labels in bands]).astype(np.int64)


def boundary_scores(counts: Counts) -> BoundaryScores:
    """Pooled boundary IoU of summed counts (3, C). Raises `DataError` if no pixel has a class."""
    both, true, predicted = (row.tolist() for row in counts)
    iou = tuple(100.0 * b / (t + p - b) if t else None for b, t, p in zip(both, true, predicted, strict=True))
    known = [value for value in iou if value is not None]
    if not known:
        raise DataError("there is no outline to score: every pixel of the ground truth is void")
    return BoundaryScores(sum(known) / len(known), iou)


def _band(labels: Mask, d: int) -> NDArray[np.bool_]:
    """Pixels with a class that have another label, void or the edge of the image within ``d`` pixels."""
    side = 2 * d + 1
    highest = ndimage.maximum_filter(labels, side, mode="constant", cval=VOID)
    lowest = ndimage.minimum_filter(labels, side, mode="nearest")
    return np.asarray((labels != VOID) & ((highest != labels) | (lowest != labels)), dtype=np.bool_)
