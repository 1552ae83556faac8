"""Where the next hint is asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from underpaint.features.uncertainty import Uncertainty

EVERY = np.arange(3)


def scores(sure: bool = True) -> torch.Tensor:
    """Class 0 is sure everywhere but in a block of 4 x 4 cells, in which 1 and 2 are as likely."""
    made = torch.zeros(3, 24, 36)
    made[0] = 30.0 if sure else 0.0
    made[:, 10:14, 20:24] = torch.tensor([0.0, 30.0, 30.0])[:, None, None]
    return made


def uncertainty(marked: np.ndarray | None = None, seen: tuple[int, int] = (96, 144)) -> Uncertainty:
    return Uncertainty.of(scores(), EVERY, padded=(96, 144), seen=seen, marked=marked)


def test_the_best_place_lies_where_two_classes_are_as_likely_and_asks_for_these() -> None:
    spot = uncertainty().best()
    assert spot is not None
    assert spot.x == pytest.approx(22 / 36, abs=1 / 36)
    assert spot.y == pytest.approx(12 / 24, abs=1 / 24)
    assert (spot.guess, spot.other) == (1, 2)


def test_uncertainty_is_the_smoothed_entropy_in_bits() -> None:
    plain = np.zeros((24, 36))
    plain[10:14, 20:24] = 1.0  # two classes as likely: one bit
    expected = ndimage.gaussian_filter(plain, 36 / 30, mode="nearest")
    np.testing.assert_allclose(uncertainty().bits, expected, atol=1e-4)
    even = Uncertainty.of(torch.zeros(3, 6, 6), EVERY, padded=(24, 24), seen=(24, 24), marked=None)
    np.testing.assert_allclose(even.bits, math.log2(3), rtol=1e-5)


def test_within_five_cells_of_a_mark_nothing_is_asked() -> None:
    marked = np.zeros((96, 144), bool)
    marked[49, 87] = True  # cell (12, 21)
    held = uncertainty(marked)
    for row in range(24):
        for column in range(36):
            assert held.free[row, column] == (math.hypot(row - 12, column - 21) > 5)
    assert (held.bits[~held.free] == 0).all()


def test_nothing_is_asked_where_all_is_marked() -> None:
    held = uncertainty(np.ones((96, 144), bool))
    assert held.best() is None
    assert held.at_random(np.random.default_rng(0)) is None


def test_the_padding_around_the_image_is_never_asked_about() -> None:
    held = uncertainty(seen=(41, 85))  # the block lies beyond it, but for a column and a row
    assert held.bits.shape == (11, 22)
    rng = np.random.default_rng(0)
    for spot in (held.best(), *(held.at_random(rng) for _ in range(50))):
        assert spot is not None
        assert 0 <= spot.x <= 1
        assert 0 <= spot.y <= 1


def test_only_classes_that_the_image_may_show_are_asked_for() -> None:
    spot = Uncertainty.of(scores(), np.array([0, 2]), padded=(96, 144), seen=(96, 144), marked=None).best()
    assert spot is not None
    assert {spot.guess, spot.other} == {0, 2}
