"""Confusion matrix and scores against plain loops and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from underpaint.core.errors import DataError
from underpaint.evaluation.confusion import Counts, Mask, confusion, scores

CLASSES = 4
truths = arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 2, 3, 255]))
predictions = arrays(np.uint8, (5, 7), elements=st.integers(0, CLASSES - 1))


def counted(truth: Mask, prediction: Mask, classes: int) -> Counts:
    """One pixel at a time."""
    matrix = np.zeros((classes, classes), np.int64)
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t != 255:
            matrix[t, p] += 1
    return matrix


def mask(rows: list[list[int]]) -> Mask:
    return np.array(rows, np.uint8)


@given(truths, predictions)
def test_counts_equal_a_loop_over_the_pixels(truth: Mask, prediction: Mask) -> None:
    np.testing.assert_array_equal(confusion(truth, prediction, CLASSES), counted(truth, prediction, CLASSES))


@given(truths, predictions, st.permutations(range(35)))
def test_the_place_of_a_pixel_does_not_matter(truth: Mask, prediction: Mask, order: list[int]) -> None:
    moved_t, moved_p = truth.ravel()[order].reshape(7, 5), prediction.ravel()[order].reshape(7, 5)
    np.testing.assert_array_equal(confusion(moved_t, moved_p, CLASSES), confusion(truth, prediction, CLASSES))


@given(truths, predictions, st.permutations(range(CLASSES)))
def test_renaming_the_classes_permutes_the_matrix(truth: Mask, prediction: Mask, names: list[int]) -> None:
    table = np.arange(256, dtype=np.uint8)
    table[:CLASSES] = names
    renamed = confusion(table[truth], table[prediction], CLASSES)
    np.testing.assert_array_equal(renamed[np.ix_(names, names)], confusion(truth, prediction, CLASSES))


@given(truths, predictions)
def test_two_halves_add_up(truth: Mask, prediction: Mask) -> None:
    parts = [confusion(truth[rows], prediction[rows], CLASSES) for rows in (slice(0, 2), slice(2, 5))]
    np.testing.assert_array_equal(sum(parts), confusion(truth, prediction, CLASSES))


def test_a_view_that_is_not_contiguous_is_counted_in_place() -> None:
    truth = mask([[0, 1, 0], [1, 2, 1], [0, 0, 2]])
    np.testing.assert_array_equal(confusion(truth.T, truth[:, ::-1], 3), counted(truth.T, truth[:, ::-1], 3))


def test_scores_by_hand() -> None:
    # Rows truth, columns prediction. IoU: 3/(4+5-3)=1/2, 4/(6+4-4)=2/3, class 2 never true, class 3: 0/(1+1-0)=0.
    matrix = np.array([[3, 0, 1, 0], [1, 4, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], np.int64)
    result = scores(matrix)
    assert result.iou == pytest.approx((50.0, 200 / 3, None, 0.0))
    assert result.miou == pytest.approx((50 + 200 / 3 + 0) / 3)
    assert result.recall == pytest.approx((75.0, 200 / 3, None, 0.0))
    assert result.mean_accuracy == pytest.approx((75 + 200 / 3) / 3)
    assert result.precision == pytest.approx((60.0, 100.0, 0.0, 0.0))
    assert result.pixel_accuracy == pytest.approx(700 / 11)
    assert (result.absent, result.pixels) == ((2,), 11)


@pytest.mark.parametrize(("called", "iou"), [(0, 100.0), (1, 75.0)])
def test_calling_a_pixel_an_absent_class_costs_its_true_class(called: int, iou: float) -> None:
    result = scores(confusion(mask([[0, 0, 0, 0]]), mask([[0, 0, 0, called]]), 3))
    assert (result.iou, result.miou, result.absent) == ((iou, None, None), iou, (1, 2))


def test_a_class_that_is_never_predicted_has_no_precision() -> None:
    result = scores(confusion(mask([[0, 1]]), mask([[0, 0]]), 2))
    assert (result.precision, result.iou) == ((50.0, None), (50.0, 0.0))


@given(truths.filter(lambda truth: bool((truth != 255).any())))
def test_the_truth_itself_scores_a_hundred(truth: Mask) -> None:
    result = scores(confusion(truth, np.where(truth == 255, 0, truth).astype(np.uint8), CLASSES))
    assert (result.miou, result.mean_accuracy, result.pixel_accuracy) == (100.0, 100.0, 100.0)


def test_void_drops_the_pixel_whatever_was_predicted() -> None:
    np.testing.assert_array_equal(confusion(mask([[255, 0]]), mask([[255, 1]]), 2), [[0, 1], [0, 0]])


def test_nothing_but_void_is_no_score() -> None:
    matrix = confusion(mask([[255, 255]]), mask([[0, 1]]), 2)
    assert matrix.sum() == 0
    with pytest.raises(DataError, match="every pixel of the ground truth is void"):
        scores(matrix)


@pytest.mark.parametrize(
    ("truth", "prediction", "said"),
    [
        (mask([[0, 1]]), mask([[0, 38]]), r"the prediction has values outside the class table: 38 \(1 pixels\)"),
        (mask([[0, 1]]), mask([[0, 255]]), r"the prediction has values outside .* 255"),
        (mask([[0, 7]]), mask([[0, 1]]), r"the ground truth has values outside the class table: 7"),
        (mask([[0, 1]]), mask([[0], [1]]), r"the prediction is 1 x 2 pixels, the ground truth 2 x 1"),
        (mask([[0, 1]]), mask([[0, 1]])[None], r"the prediction is an array of uint8 with shape \(1, 1, 2\)"),
        (mask([[0, 1]]).astype(np.float32), mask([[0, 1]]), r"the ground truth is an array of float32"),
    ],
)
def test_what_cannot_be_counted_is_refused(truth: Mask, prediction: Mask, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        confusion(truth, prediction, 3, where="street.png")
    assert "street.png" in str(error.value)
