"""Computes the positions in the charts of the report. A template draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from underpaint.evaluation.gap import Estimate, Gap

INK = "#1f2933"
GREY = "#7b8794"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's colours, which colour-blind readers can distinguish, without black and yellow (too light on white).
Everything is also labelled in words."""

LOG_FROM = 8.0
"""The cost axis is logarithmic if the largest cost is at least this multiple of the smallest, and else linear."""

LABEL_STEP = 15.0
"""Smallest distance between the baselines of two labels, in SVG units; a line has 13."""


@dataclass(frozen=True)
class Axis:
    """A scale from values to SVG units.

    Args:
        low, high: Values at the ends.
        start, end: Positions of the ends; ``end`` may be smaller (y grows downwards).
        log: Whether the axis is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Position of a value, to a hundredth of a unit."""
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 2)

    def ticks(self) -> list[tuple[float, str]]:
        """Position and text of round values: multiples of 1, 2 or 5, or (logarithmic) 1, 2 and 5 times 10**n."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        else:
            step = _step(self.high - self.low)
            values = [
                i * step for i in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)
            ]
        return [(self.at(value), f"{value:,.6g}") for value in values if self.low <= value <= self.high]


def _step(span: float) -> float:
    """The round step (1, 2 or 5 times a power of ten) with about six ticks."""
    power = 10.0 ** math.floor(math.log10(span / 6))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 6)


def quality_axis(values: Iterable[float], *, start: float, end: float) -> Axis:
    """An axis of mIoU around the values, wider by a tenth and by at least one point at both ends, within 0..100.

    It does not start at zero, because readers compare positions in this chart and not lengths.
    """
    known = list(values)
    low, high = min(known), max(known)
    margin = max(1.0, 0.1 * (high - low))
    return Axis(max(0.0, low - margin), min(100.0, high + margin), start, end)


@dataclass(frozen=True)
class Line:
    """One method in a chart: its name, colour, mean mIoU, the mIoU of each seed, and its gap if it is known."""

    name: str
    colour: str
    quality: Estimate
    seeds: tuple[float, ...]
    gap: Gap | None = None


@dataclass(frozen=True)
class GapLine:
    """The positions of one line of the gap chart."""

    name: str
    colour: str
    y: float
    mean: float
    seeds: tuple[float, ...]
    whisker: tuple[float, float] | None
    text: str
    closes: str


@dataclass(frozen=True)
class GapChart:
    """Floor, methods and ceiling on one axis; ``floor`` and ``ceiling`` are x positions, or None if not known."""

    width: float
    height: float
    ticks: list[tuple[float, str]]
    lines: tuple[GapLine, ...]
    floor: float | None
    ceiling: float | None


GAP_WIDTH, GAP_LEFT, GAP_RIGHT, GAP_TOP, GAP_ROW = 640.0, 140.0, 490.0, 34.0, 46.0
"""Size of the gap chart: names are on the left of the axis, numbers on its right."""


def gap_chart(lines: Sequence[Line], *, floor: float | None, ceiling: float | None) -> GapChart:
    """Lay out the gap chart.

    Args:
        lines: Floor, methods and ceiling in the order of the chart, at least 1.
        floor: Mean mIoU of the floor, or None.
        ceiling: Mean mIoU of full masks, or None.
    """
    spread = [value for line in lines for value in (*line.seeds, *(line.quality.interval or ()))]
    axis = quality_axis([min(100.0, max(0.0, value)) for value in spread], start=GAP_LEFT, end=GAP_RIGHT)
    placed = tuple(_gap_line(line, axis, GAP_TOP + (i + 0.5) * GAP_ROW) for i, line in enumerate(lines))
    ends = [None if value is None else axis.at(value) for value in (floor, ceiling)]
    return GapChart(GAP_WIDTH, GAP_TOP + len(lines) * GAP_ROW + 42, axis.ticks(), placed, ends[0], ends[1])


def _gap_line(line: Line, axis: Axis, y: float) -> GapLine:
    closes = ""
    if line.gap is not None and line.gap.reduction is not None:
        closes = f"closes {100 * line.gap.reduction.mean:.0f} %"
    return GapLine(
        line.name,
        line.colour,
        y,
        axis.at(line.quality.mean),
        tuple(axis.at(value) for value in line.seeds),
        _whisker(line.quality, axis),
        f"{line.quality.mean:.1f}",
        closes,
    )


def _whisker(quality: Estimate, axis: Axis) -> tuple[float, float] | None:
    if quality.interval is None:
        return None
    low, high = (axis.at(min(axis.high, max(axis.low, value))) for value in quality.interval)
    return low, high


@dataclass(frozen=True)
class CostPoint:
    """A point of quality against annotation time. Points with the same name are joined by a line (a budget curve)."""

    name: str
    colour: str
    minutes: float
    quality: Estimate


@dataclass(frozen=True)
class CostMark:
    """The position of one point; ``label`` is empty except for the last point of a line."""

    x: float
    y: float
    whisker: tuple[float, float] | None
    colour: str
    label: str
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True)
class CostChart:
    """A chart with annotation minutes on the x axis and mIoU on the y axis."""

    width: float
    height: float
    xticks: list[tuple[float, str]]
    yticks: list[tuple[float, str]]
    marks: tuple[CostMark, ...]
    paths: tuple[tuple[str, str], ...]
    log: bool


COST_WIDTH, COST_HEIGHT, COST_LEFT, COST_BOTTOM = 420.0, 306.0, 40.0, 256.0
"""Size of the cost chart."""


def cost_chart(points: Sequence[CostPoint]) -> CostChart | None:
    """Lay out the chart of quality against annotation time; None if there are fewer than two different times."""
    costs = [point.minutes for point in points]
    if len(set(costs)) < 2:
        return None
    x = _cost_axis(min(costs), max(costs))
    spread = [value for p in points for value in (p.quality.mean, *(p.quality.interval or ()))]
    y = quality_axis([min(100.0, max(0.0, value)) for value in spread], start=COST_BOTTOM, end=20.0)
    names = dict.fromkeys(point.name for point in points)
    curves = [sorted((p for p in points if p.name == name), key=lambda p: p.minutes) for name in names]
    paths = tuple(
        (curve[0].colour, " ".join(f"{x.at(p.minutes)},{y.at(p.quality.mean)}" for p in curve))
        for curve in curves
        if len(curve) > 1
    )
    marks = [_mark(point, x, y, last=point is curve[-1]) for curve in curves for point in curve]
    return CostChart(COST_WIDTH, COST_HEIGHT, x.ticks(), y.ticks(), _spaced(marks), paths, x.log)


def _cost_axis(low: float, high: float) -> Axis:
    if low > 0 and high / low >= LOG_FROM:
        return Axis(low / 1.6, high * 1.6, COST_LEFT, COST_WIDTH - 8, log=True)
    return Axis(0.0, 1.12 * high, COST_LEFT, COST_WIDTH - 8)


def _mark(point: CostPoint, x: Axis, y: Axis, *, last: bool) -> CostMark:
    at = x.at(point.minutes)
    right = at < (COST_LEFT + COST_WIDTH) / 2
    return CostMark(
        at,
        y.at(point.quality.mean),
        _whisker(point.quality, y),
        point.colour,
        point.name if last else "",
        at + (14 if right else -14),
        y.at(point.quality.mean) + 4,
        "start" if right else "end",
    )


def _spaced(marks: Sequence[CostMark]) -> tuple[CostMark, ...]:
    """The same marks with the labels on each side moved down until no label covers the one above it."""
    moved: dict[int, CostMark] = {}
    last: dict[str, float] = {}
    for i in sorted(range(len(marks)), key=lambda i: marks[i].label_y):
        mark = marks[i]
        if mark.label:
            y = max(mark.label_y, last.get(mark.anchor, -math.inf) + LABEL_STEP)
            last[mark.anchor] = y
            mark = replace(mark, label_y=y)
        moved[i] = mark
    return tuple(moved[i] for i in range(len(marks)))
