"""Pooled confusion matrix and the scores that follow from it.

The mIoU of this package is PASCAL VOC's (Everingham et al., IJCV 2010): one matrix is summed over the whole split and
the IoU is taken once from its sums. A mean of per-image IoUs is another number and is never called mIoU here.
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
"""Values that a pixel of an 8-bit mask can have."""


@dataclass(frozen=True)
class Scores:
    """Scores of one pooled confusion matrix, all from 0 to 100.

    Args:
        miou: Mean of the IoU over the classes that the ground truth shows.
        mean_accuracy: Mean of the recall over the same classes.
        pixel_accuracy: Share of the counted pixels that are right.
        iou: IoU a class; None where the class is absent from the ground truth.
        recall: Share of the class's pixels that were found; None where it has none.
        precision: Share of the pixels called so that are right; None where none was called so.
        absent: Indices of the classes that the ground truth does not show: left out of both means.
        pixels: Pixels counted, void ones not among them.
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
    """Count the pixels of each pair (true class, predicted class); matrices of several images add up.

    A pixel whose truth is void (255) is dropped, whatever was predicted there.

    Args:
        truth: Ground truth (H, W).
        prediction: Predicted classes (H, W).
        classes: Number of classes C.
        where: Image or file named in errors.

    Returns:
        Counts (C, C): row = truth, column = prediction.

    Raises:
        DataError: not 8-bit, two sizes, a truth that is neither a class nor void, or a prediction that is no class.
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
    """The scores of a confusion matrix (C, C) of row = truth, column = prediction.

    ``iou = TP / (TP + FP + FN)``. A class without a true pixel has no IoU and enters no mean. Pixels predicted as such
    a class still cost: each is a miss (FN) of its true class.

    Raises:
        DataError: the matrix counts no pixel (all void), so that no score exists.
    """
    pixels = int(matrix.sum())
    if pixels == 0:
        raise DataError(
            "there is nothing to score: every pixel of the ground truth is void",
            accepted="at least one pixel with a class",
            fix="check the split and the masks",
        )
    right, true, called = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    shown = true > 0
    iou = _percent(right, np.where(shown, true + called - right, 0))
    recall = _percent(right, true)
    return Scores(
        miou=_mean(iou),
        mean_accuracy=_mean(recall),
        pixel_accuracy=100.0 * int(right.sum()) / pixels,
        iou=iou,
        recall=recall,
        precision=_percent(right, called),
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
            accepted="two masks of one size",
            fix="write the prediction at the size of the image; masks are never resized to be scored",
        )


def _size(mask: Mask) -> str:
    return f"{mask.shape[1]} x {mask.shape[0]}"


def require_classes(what: str, histogram: Counts, classes: int, where: object) -> None:
    """Raise `DataError` where a histogram of mask values counts pixels beyond the class table."""
    outside = [int(value) for value in np.flatnonzero(histogram[classes:]) + classes]
    if outside:
        seen = ", ".join(f"{value} ({int(histogram[value])} pixels)" for value in outside[:5])
        raise DataError(
            f"{what} has values outside the class table: {seen}{', ...' if len(outside) > 5 else ''}",
            where=where,
            accepted=f"0..{classes - 1} wherever the ground truth is not void ({VOID})",
            fix="write class indices, not greys or colours (a palette mask converted to grey does this)",
        )
