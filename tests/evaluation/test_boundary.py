"""Boundary IoU against the definition, pixel by pixel, and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from underpaint.core.errors import DataError
from underpaint.evaluation import boundary
from underpaint.evaluation.boundary import band_width, boundary_counts, boundary_scores
from underpaint.evaluation.confusion import Counts, Mask

CLASSES = 3
truths = arrays(np.uint8, (7, 8), elements=st.sampled_from([0, 1, 2, 255]))
predictions = arrays(np.uint8, (7, 8), elements=st.integers(0, CLASSES - 1))


def counted(truth: Mask, prediction: Mask, d: int) -> Counts:
    """A pixel of a class is in its band where a pixel at chessboard distance <= d is outside or not of that class."""
    rows, columns = truth.shape
    void = truth == 255

    def in_band(labels: Mask, y: int, x: int) -> bool:
        for v in range(y - d, y + d + 1):
            for u in range(x - d, x + d + 1):
                if not (0 <= v < rows and 0 <= u < columns) or void[v, u] or labels[v, u] != labels[y, x]:
                    return True
        return False

    counts = np.zeros((3, CLASSES), np.int64)
    for y in range(rows):
        for x in range(columns):
            if void[y, x]:
                continue
            true, called = in_band(truth, y, x), in_band(prediction, y, x)
            counts[0, truth[y, x]] += true and called and truth[y, x] == prediction[y, x]
            counts[1, truth[y, x]] += true
            counts[2, prediction[y, x]] += called
    return counts


@pytest.mark.parametrize("d", [1, 2])
@settings(max_examples=60)
@given(truth=truths, prediction=predictions)
def test_counts_equal_the_definition(d: int, truth: Mask, prediction: Mask) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundary, "RATIO", d / np.hypot(7, 8))
        assert band_width(7, 8) == d
        np.testing.assert_array_equal(boundary_counts(truth, prediction, CLASSES), counted(truth, prediction, d))


def test_large_regions_equal_the_definition() -> None:
    """Random pixels make every pixel a boundary; here regions are wider than the band, and void crosses them."""
    truth = np.repeat(np.repeat(np.array([[0, 1], [2, 0]], np.uint8), 9, 0), 9, 1)
    prediction = np.roll(truth, 2, axis=1)
    truth[4:6, 3:] = 255
    for d in (1, 2, 3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(boundary, "RATIO", d / np.hypot(18, 18))
            np.testing.assert_array_equal(boundary_counts(truth, prediction, CLASSES), counted(truth, prediction, d))


def test_shifted_square_by_hand() -> None:
    # 40 x 40: d = round(0.02 * 56.6) = 1. A 10 x 10 square has a band of 36 pixels; the same one pixel to the right
    # shares with it the two horizontal edges but for two corners: 2 * 9 = 18 pixels. 18 / (36 + 36 - 18) = 1/3.
    truth = np.zeros((40, 40), np.uint8)
    truth[10:20, 10:20] = 1
    counts = boundary_counts(truth, np.roll(truth, 1, axis=1), 2)
    assert counts[:, 1].tolist() == [18, 36, 36]
    assert boundary_scores(counts).iou[1] == pytest.approx(100 / 3)


@pytest.mark.parametrize(
    ("height", "width", "d"),
    [(3, 3, 1), (40, 40, 1), (213, 320, 8), (375, 500, 12), (480, 640, 16), (1024, 2048, 46)],
)
def test_band_is_two_percent_of_the_diagonal(height: int, width: int, d: int) -> None:
    assert band_width(height, width) == d


def test_thick_regions_count_less_than_in_the_plain_iou() -> None:
    truth = np.zeros((100, 100), np.uint8)
    truth[20:80, 20:80] = 1
    grown = np.zeros_like(truth)
    grown[17:83, 17:83] = 1
    iou = boundary_scores(boundary_counts(truth, grown, 2)).iou[1]
    assert iou is not None
    assert iou < 10 < 3600 / 4356 * 100


@given(truths.filter(lambda truth: bool((truth != 255).any())), st.integers(0, 2))
def test_right_outside_void_is_a_hundred(truth: Mask, inside: int) -> None:
    prediction = np.where(truth == 255, np.uint8(inside), truth)
    assert boundary_scores(boundary_counts(truth, prediction, CLASSES)).mean == 100.0


def test_absent_classes_leave_the_mean_and_still_cost() -> None:
    truth, prediction = np.zeros((2, 2), np.uint8), np.array([[0, 0], [0, 1]], np.uint8)
    result = boundary_scores(boundary_counts(truth, prediction, 3))
    assert (result.iou, result.mean) == ((75.0, None, None), 75.0)


def test_counts_of_images_are_pooled() -> None:
    first, second = np.array([[2, 1, 2], [4, 2, 2], [4, 3, 2]]), np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0]])
    assert boundary_scores(first).iou == pytest.approx((100 / 3, 25.0, 100.0))
    assert boundary_scores(first + second).iou == pytest.approx((300 / 7, 20.0, 100.0))


def test_all_void_and_numbers_outside_the_table() -> None:
    void = np.full((3, 3), 255, np.uint8)
    counts = boundary_counts(void, np.zeros_like(void), 2)
    assert counts.sum() == 0
    with pytest.raises(DataError, match="no outline to score"):
        boundary_scores(counts)
    with pytest.raises(DataError, match=r"the prediction has values .* 255 \(9 pixels\)"):
        boundary_counts(np.zeros_like(void), void, 2)
    with pytest.raises(DataError, match=r"the ground truth has values .* 7"):
        boundary_counts(np.full((3, 3), 7, np.uint8), np.zeros_like(void), 2)
