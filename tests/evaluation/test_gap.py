"""Gap, reduction and share against published figures, closed forms and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.core.errors import DataError
from underpaint.evaluation.gap import Estimate, estimate, measure_gap

points = st.floats(0, 100, allow_nan=False)


def one(value: float) -> dict[int, float]:
    return {0: value}


@pytest.mark.parametrize(
    ("floor", "method", "ceiling", "gap", "reduction"),
    [
        (69.5, 73.0, 75.6, 2.6, 0.57377),  # rloss on VOC with ResNet-101: the authors' table
        (71.3, 75.6, 78.0, 2.4, 0.64179),  # Mayer, Timofte and Paul: "64.2 %"
        (60.0, 55.0, 80.0, 25.0, -0.25),  # worse than the floor
        (60.0, 85.0, 80.0, -5.0, 1.25),  # better than the ceiling
    ],
)
def test_published_and_plain_figures(floor: float, method: float, ceiling: float, gap: float, reduction: float) -> None:
    result = measure_gap(one(method), floor=one(floor), ceiling=one(ceiling))
    assert result.reduction is not None
    assert result.share is not None
    assert result.gap.mean == pytest.approx(gap)
    assert result.reduction.mean == pytest.approx(reduction, abs=1e-5)
    assert result.share.mean == pytest.approx(method / ceiling)
    assert (result.gap.interval, result.reduction.interval, result.reason) == (None, None, None)


def test_interval_of_three_seeds_by_hand() -> None:
    # Mean 2, deviation 1, t(2 degrees, 97.5 %) = 4.302652729911275 (any table): 4.302653 / sqrt(3) = 2.484138.
    result = estimate([1.0, 2.0, 3.0])
    assert (result.mean, result.seeds) == (2.0, 3)
    assert result.interval == pytest.approx((2 - 2.4841377, 2 + 2.4841377))


def test_luck_that_all_three_share_leaves_the_interval_narrow() -> None:
    luck = {0: -3.0, 1: 0.0, 2: 3.0}
    runs = {name: {seed: base + luck[seed] for seed in luck} for name, base in (("b", 60), ("m", 70), ("F", 80))}
    result = measure_gap(runs["m"], floor=runs["b"], ceiling=runs["F"])
    assert result.gap == Estimate(10.0, (10.0, 10.0), 3)
    assert result.reduction == Estimate(0.5, (0.5, 0.5), 3)
    assert result.share is not None
    assert result.share.interval is not None
    assert result.share.interval[1] - result.share.interval[0] > 0.01


def test_reduction_is_the_ratio_of_the_means() -> None:
    result = measure_gap({0: 61, 1: 75}, floor={0: 60, 1: 60}, ceiling={0: 61, 1: 80})
    assert result.reduction is not None
    assert result.reduction.mean == pytest.approx(16 / 21)  # the mean of the two ratios would be 0.875


def test_interval_of_the_reduction_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        b, m, F = (dict(enumerate(mean + 0.6 * rng.standard_normal(5), start=0)) for mean in (70.0, 76.0, 80.0))
        reduction = measure_gap(m, floor=b, ceiling=F).reduction
        assert reduction is not None
        assert reduction.interval is not None
        inside += reduction.interval[0] <= 0.6 <= reduction.interval[1]
    assert 0.92 <= inside / 400 <= 0.98


@pytest.mark.parametrize("ceiling", [60.0, 58.2])
def test_no_reduction_where_the_ceiling_is_not_above_the_floor(ceiling: float) -> None:
    result = measure_gap(one(61.0), floor=one(60.0), ceiling=one(ceiling))
    assert result.reduction is None
    assert result.reason == f"the ceiling ({ceiling:.1f}) is not above the floor (60.0), so there is no gap"
    assert result.gap.mean == pytest.approx(ceiling - 61.0)


def test_share_of_nothing_is_undefined() -> None:
    result = measure_gap(one(0.0), floor=one(0.0), ceiling=one(0.0))
    assert (result.share, result.reduction) == (None, None)


def test_only_common_seeds_are_compared() -> None:
    result = measure_gap({0: 70, 1: 71, 9: 0}, floor={1: 60, 0: 60, 5: 0}, ceiling={0: 80, 1: 81, 2: 0})
    assert result.seeds == (0, 1)
    assert result.gap.mean == pytest.approx(10.0)


def test_no_common_seed_is_an_error_that_lists_them() -> None:
    with pytest.raises(DataError, match=r"there is no common seed: method \[0\], floor \[1\], ceiling \[0, 1\]"):
        measure_gap({0: 70}, floor={1: 60}, ceiling={0: 80, 1: 80})


@pytest.mark.parametrize("values", [[], [math.nan], [1.0, math.inf]])
def test_no_estimate_without_finite_numbers(values: list[float]) -> None:
    with pytest.raises(DataError, match="has no mean"):
        estimate(values)


@given(points, points, points)
def test_floor_has_reduction_0_and_ceiling_1(b: float, m: float, F: float) -> None:
    if F - b < 1e-3:
        return
    runs = {"floor": one(b), "ceiling": one(F)}
    reductions = [measure_gap(one(value), **runs).reduction for value in (b, F, m)]
    assert [r.mean for r in reductions if r][:2] == pytest.approx([0.0, 1.0])
    assert reductions[2] is not None
    assert b + reductions[2].mean * (F - b) == pytest.approx(m, abs=1e-6)
