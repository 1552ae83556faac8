"""Positions in the report's charts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.evaluation.charts import (
    COST_BOTTOM,
    GAP_LEFT,
    GAP_RIGHT,
    LABEL_STEP,
    Axis,
    CostPoint,
    Line,
    cost_chart,
    gap_chart,
    quality_axis,
)
from underpaint.evaluation.gap import Estimate, measure_gap


def known(value: float) -> Estimate:
    return Estimate(value, None, 1)


def test_a_plain_axis_is_linear_and_may_run_upwards() -> None:
    axis = Axis(10, 20, 300, 100)
    assert [axis.at(value) for value in (10, 15, 20)] == [300, 200, 100]
    assert axis.ticks() == [(300, "10"), (260, "12"), (220, "14"), (180, "16"), (140, "18"), (100, "20")]


def test_a_log_axis_gives_equal_ratios_equal_room() -> None:
    axis = Axis(1, 100, 0, 200, log=True)
    assert [axis.at(value) for value in (1, 10, 100)] == [0, 100, 200]
    assert [label for _, label in axis.ticks()] == ["1", "2", "5", "10", "20", "50", "100"]
    assert Axis(900, 3000, 0, 1, log=True).ticks() == [(0.09, "1,000"), (0.66, "2,000")]


@given(st.floats(0, 100), st.floats(0, 100))
def test_an_axis_of_quality_holds_its_values_with_a_handful_of_ticks(a: float, b: float) -> None:
    axis = quality_axis([a, b], start=0, end=100)
    assert 0 <= axis.low <= min(a, b) <= max(a, b) <= axis.high <= 100
    assert axis.high > axis.low
    assert 2 <= len(axis.ticks()) <= 7
    assert all(0 <= x <= 100 for x, _ in axis.ticks())


def test_the_gap_chart_puts_methods_between_floor_and_ceiling() -> None:
    runs = {"partial": {0: 69.0, 1: 70.0}, "crf": {0: 74.0, 1: 76.0}, "supervised": {0: 80.0, 1: 80.0}}
    gap = measure_gap(runs["crf"], floor=runs["partial"], ceiling=runs["supervised"])
    estimates = [Estimate(69.5, (60.0, 79.0), 2), Estimate(75.0, (62.3, 87.7), 2), Estimate(80.0, (80.0, 80.0), 2)]
    lines = [
        Line(name, "#000", quality, tuple(values.values()), gap if name == "crf" else None)
        for (name, values), quality in zip(runs.items(), estimates, strict=True)
    ]
    chart = gap_chart(lines, floor=69.5, ceiling=80.0)
    low, middle, high = chart.lines
    assert chart.floor == low.mean < middle.mean < high.mean == chart.ceiling
    assert (middle.mean - low.mean) / (high.mean - low.mean) == pytest.approx(5.5 / 10.5, abs=1e-3)
    assert (low.closes, middle.closes, middle.text) == ("", "closes 52 %", "75.0")
    assert middle.whisker is not None
    assert GAP_LEFT <= low.mean < middle.whisker[1] <= GAP_RIGHT
    assert low.y < middle.y < high.y < chart.height


def test_one_method_alone_can_be_drawn() -> None:
    chart = gap_chart([Line("crf", "#000", known(100.0), (100.0,))], floor=None, ceiling=None)
    assert (chart.floor, chart.ceiling, chart.lines[0].whisker) == (None, None, None)
    assert GAP_LEFT < chart.lines[0].mean <= GAP_RIGHT


def test_one_cost_makes_no_chart() -> None:
    assert cost_chart([]) is None
    assert cost_chart([CostPoint("a", "#000", 5.0, known(60)), CostPoint("b", "#000", 5.0, known(70))]) is None


@pytest.mark.parametrize(("dear", "log"), [(30.0, False), (400.0, True)])
def test_the_cost_axis_turns_logarithmic_for_far_costs(dear: float, log: bool) -> None:
    chart = cost_chart([CostPoint("hints", "#000", 5.0, known(60)), CostPoint("masks", "#111", dear, known(80))])
    assert chart is not None
    cheap, full = chart.marks
    assert chart.log is log
    assert cheap.x < full.x <= chart.width
    assert full.y < cheap.y < COST_BOTTOM
    assert (cheap.anchor, full.anchor) == ("start", "end")


def test_a_free_hint_keeps_the_axis_plain() -> None:
    chart = cost_chart([CostPoint("none", "#000", 0.0, known(60)), CostPoint("masks", "#111", 99.0, known(80))])
    assert chart is not None
    assert chart.log is False


def test_labels_of_close_points_do_not_cover_each_other() -> None:
    points = [CostPoint(f"m{i}", "#000", 5.0, known(70 + 0.1 * i)) for i in range(5)]
    chart = cost_chart([*points, CostPoint("masks", "#000", 90.0, known(80))])
    assert chart is not None
    heights = sorted(mark.label_y for mark in chart.marks[:5])
    assert all(b - a >= LABEL_STEP for a, b in pairwise(heights))
    assert [mark.label for mark in sorted(chart.marks[:5], key=lambda m: m.label_y)] == ["m4", "m3", "m2", "m1", "m0"]


def test_a_budget_curve_is_joined_in_the_order_of_cost_and_named_once() -> None:
    points = [CostPoint("crf", "#123", minutes, known(60 + minutes)) for minutes in (9.0, 3.0, 6.0)]
    chart = cost_chart([*points, CostPoint("masks", "#000", 20.0, known(90))])
    assert chart is not None
    assert [mark.label for mark in chart.marks] == ["", "", "crf", "masks"]
    assert chart.paths == (("#123", " ".join(f"{mark.x},{mark.y}" for mark in chart.marks[:3])),)
