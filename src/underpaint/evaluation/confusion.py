"""The pooled confusion matrix and its scores.

The mIoU of this package is that of PASCAL VOC (Everingham et al., IJCV 2010): one matrix is summed over the whole
split, and the IoU is computed from its sums. The mean of per-image IoUs is a different number and is never called mIoU
here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from underpaint.core.classes import VOID
from underpaint.core.errors import DataError

Mask = NDArray[np.uint8]
Counts = NDArray[np.int64]

_VALUES = 256
"""Number of values of a pixel of an 8-bit mask."""


@dataclass(frozen=True)
class Scores:
    """Scores of one pooled confusion matrix, all from 0 to 100.

    Args:
        miou: Mean of the IoU over the classes in the ground truth.
        mean_accuracy: Mean of the recall over the same classes.
        pixel_accuracy: Percentage of the counted pixels that are correct.
        iou: IoU of each class; None if the class is absent from the ground truth.
        recall: Percentage of the pixels of each class that are predicted correctly; None if it has no pixels.
        precision: Percentage of the pixels predicted as each class that are correct; None if there are none.
        absent: Indices of the classes that are absent from the ground truth, which are left out of both means.
        pixels: Number of counted pixels, without void.
    """

    miou: float
    mean_accuracy: float
    pixel_accuracy: float
    iou: tuple[float | None, ...]
    recall: tuple[float | None, ...]
    precision: tuple[float | None, ...]
    absent: tuple[int, ...]
    pixels: int


def confusion(truth: Mask, prediction: Mask, classes: int, *, where: object = None) -> Counts:
    """Count the pixels of each pair (true class, predicted class). The matrices of several images can be added.

    Pixels with a void ground truth (255) are not counted.

    Args:
        truth: Ground truth (H, W).
        prediction: Predicted classes (H, W).
        classes: Number of classes C.
        where: Image or file named in errors.

    Returns:
        Counts (C, C): row = truth, column = prediction.

    Raises:
        DataError: A mask is not uint8, the sizes differ, a true value is neither a class nor void, or a predicted value
            is not a class.
    """
    require_masks(truth, prediction, where)
    pairs = truth.ravel().astype(np.intp)
    pairs *= _VALUES
    pairs += prediction.ravel()
    joint = np.bincount(pairs, minlength=_VALUES * _VALUES).reshape(_VALUES, _VALUES)
    joint = np.delete(joint, VOID, axis=0)
    require_classes("the ground truth", joint.sum(axis=1), classes, where)
    require_classes("the prediction", joint.sum(axis=0), classes, where)
    return joint[:classes, :classes].astype(np.int64)


def scores(matrix: Counts) -> Scores:
    """Compute the scores of a confusion matrix (C, C) with row = truth and column = prediction.

    ``iou = TP / (TP + FP + FN)``. A class without a true pixel has no IoU and is left out of the means. Pixels that are
    predicted as such a class lower the scores, because each is a false negative of its true class.

    Raises:
        DataError: The matrix counts no pixel, because all are void.
    """
    pixels = int(matrix.sum())
    if pixels == 0:
        raise DataError(
            "there are no scores, because every pixel of the ground truth is void",
            accepted="at least one pixel with a class",
            fix="check the split and the masks",
        )
    correct, true, predicted = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    shown = true > 0
    iou = _percent(correct, np.where(shown, true + predicted - correct, 0))
    recall = _percent(correct, true)
    return Scores(
        miou=_mean(iou),
        mean_accuracy=_mean(recall),
        pixel_accuracy=100.0 * int(correct.sum()) / pixels,
        iou=iou,
        recall=recall,
        precision=_percent(correct, predicted),
        absent=tuple(int(i) for i in np.flatnonzero(~shown)),
        pixels=pixels,
    )


def _percent(part: Counts, whole: Counts) -> tuple[float | None, ...]:
    return tuple(100.0 * int(p) / int(w) if w else None for p, w in zip(part, whole, strict=True))


def _mean(values: tuple[float | None, ...]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known)


def require_masks(truth: Mask, prediction: Mask, where: object) -> None:
    """Raise `DataError` unless both are 8-bit masks (H, W) of one size."""
    for what, array in (("the ground truth", truth), ("the prediction", prediction)):
        if array.dtype != np.uint8 or array.ndim != 2:
            raise DataError(
                f"{what} is an array of {array.dtype} with shape {array.shape}", where=where, accepted="uint8 (H, W)"
            )
    if truth.shape != prediction.shape:
        raise DataError(
            f"the prediction is {_size(prediction)} pixels, the ground truth {_size(truth)}",
            where=where,
            accepted="two masks of the same size",
            fix="write the prediction at the size of the image; masks are never resized",
        )


def _size(mask: Mask) -> str:
    return f"{mask.shape[1]} x {mask.shape[0]}"


def require_classes(what: str, histogram: Counts, classes: int, where: object) -> None:
    """Raise `DataError` if a histogram of mask values counts values that are not in the class table."""
    outside = [int(value) for value in np.flatnonzero(histogram[classes:]) + classes]
    if outside:
        listed = ", ".join(f"{value} ({int(histogram[value])} pixels)" for value in outside[:5])
        raise DataError(
            f"{what} has values outside the class table: {listed}{', ...' if len(outside) > 5 else ''}",
            where=where,
            accepted=f"0..{classes - 1} wherever the ground truth is not void ({VOID})",
            fix="write class indices, not grey values or colours (this happens if a palette mask is converted to grey)",
        )
