"""What a gap report says: one row a method, pictures, the protocol, and its JSON form."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.evaluation.compare import Evaluation
from underpaint.evaluation.gap import Estimate, Gap, estimate, measure_gap
from underpaint.evaluation.pictures import Mask, Rgb


class Role(StrEnum):
    """What a row of the report is."""

    FLOOR = "floor"
    METHOD = "method"
    CEILING = "ceiling"


@dataclass(frozen=True)
class MethodRow:
    """One method's results on the split.

    Args:
        method: Name, unique in the report.
        role: The floor (hint pixels alone), the ceiling (full masks), or a method between.
        miou: Pooled mIoU (0..100) by seed, one seed or more.
        boundary_iou: Boundary IoU (0..100) by seed.
        class_iou: IoU a class, mean over seeds; None where the ground truth does not show the class.
        minutes: Minutes of a person's time that the annotation of the training images took, where known.
        mean_accuracy: Mean class accuracy (0..100), mean over seeds.
        pixel_accuracy: Share of the pixels that are right (0..100), mean over seeds.
        inference: Mean mIoU under other ways of inference ("scales and flips", "CRF", ...); never mixed with ``miou``.
    """

    method: str
    role: Role
    miou: Mapping[int, float]
    boundary_iou: Mapping[int, float]
    class_iou: tuple[float | None, ...]
    minutes: float | None = None
    mean_accuracy: float | None = None
    pixel_accuracy: float | None = None
    inference: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, method: str, role: Role, runs: Mapping[int, Evaluation], *, minutes: float | None = None) -> MethodRow:
        """The row of a method from its evaluations by seed."""
        if not runs:
            raise DataError(f"the method {method!r} has no run", accepted="one evaluation a seed, and at least one")
        return cls(
            method,
            role,
            {seed: run.scores.miou for seed, run in runs.items()},
            {seed: run.boundary.mean for seed, run in runs.items()},
            tuple(map(_mean, zip(*(run.scores.iou for run in runs.values()), strict=True))),
            minutes,
            _mean(tuple(run.scores.mean_accuracy for run in runs.values())),
            _mean(tuple(run.scores.pixel_accuracy for run in runs.values())),
        )


def _mean(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


@dataclass(frozen=True)
class BudgetPoint:
    """A method at one amount of hints, with one seed.

    Args:
        method: Name of its row.
        budget: Multiple of the usual amount.
        minutes: Of a person's time for all training images.
        miou: 0..100.
    """

    method: str
    budget: float
    minutes: float
    miou: float


@dataclass(frozen=True)
class PictureRow:
    """One test photograph in the report.

    Args:
        name: Name of the image.
        photo: (H, W, 3).
        masks: Each method's mask (H, W), by the name of its row; methods without one are left out.
        truth: (H, W), 255 for void.
        hints: Labelled pixels (H, W), 255 for unknown, or None for a photograph that was not hinted.
    """

    name: str
    photo: Rgb
    masks: Mapping[str, Mask]
    truth: Mask
    hints: Mask | None = None


@dataclass(frozen=True)
class GapReport:
    """Everything that the report says.

    Args:
        dataset: Name of the data set.
        split: Split that was scored.
        hints: Kind of hints, in words, as in "from scribbles".
        network: Network that all rows share.
        tuning: Which settings were chosen on which masks; "nothing was chosen on masks" where so.
        command: Command that made the report.
        machine: Machine it ran on.
        commit: Version of the code.
        classes: The class table.
        rows: Floor, methods and ceiling; at most one floor and one ceiling.
        pictures: Photographs with hints, masks and truth.
        facts: What else was the same for all rows (schedule, crop, seconds a hint, ...), in the order shown.
        curves: A PNG file with the training curves, or None.
        budget: Points of quality against effort, sorted by method and minutes.
        left_out: What could not be trained and nobody had asked for, with the reason.

    Raises:
        DataError: no row, two of one name, two floors or ceilings, a row without seeds or of another class table.
    """

    dataset: str
    split: str
    hints: str
    network: str
    tuning: str
    command: str
    machine: str
    commit: str
    classes: ClassTable
    rows: tuple[MethodRow, ...]
    pictures: tuple[PictureRow, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    curves: Path | None = None
    budget: tuple[BudgetPoint, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [row.method for row in self.rows]
        roles = [row.role for row in self.rows]
        if not names or len(set(names)) < len(names):
            raise DataError(f"the rows are {names}", accepted="one row or more, each method once")
        for role in (Role.FLOOR, Role.CEILING):
            if roles.count(role) > 1:
                raise DataError(f"{roles.count(role)} rows are the {role}", accepted="at most one")
        for row in self.rows:
            if not row.miou or len(row.class_iou) != len(self.classes):
                raise DataError(
                    f"the row {row.method!r} has {len(row.miou)} seed(s) and {len(row.class_iou)} classes",
                    accepted=f"one seed or more, {len(self.classes)} classes",
                )

    def row(self, role: Role) -> MethodRow | None:
        """The row that is the floor or the ceiling, or None."""
        return next((row for row in self.rows if row.role == role), None)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Every seed of any row."""
        return tuple(sorted({seed for row in self.rows for seed in row.miou}))

    def gap(self, row: MethodRow) -> Gap | None:
        """The gap of a row, or None where the report has no floor or no ceiling."""
        floor, ceiling = self.row(Role.FLOOR), self.row(Role.CEILING)
        if floor is None or ceiling is None:
            return None
        return measure_gap(row.miou, floor=floor.miou, ceiling=ceiling.miou)

    def to_json(self) -> dict[str, Any]:
        """The report's numbers without its pictures: mIoU from 0 to 100, shares and reductions as fractions."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "hints": self.hints,
            "network": self.network,
            "seeds": list(self.seeds),
            "command": self.command,
            "machine": self.machine,
            "commit": self.commit,
            "tuning": self.tuning,
            "facts": dict(self.facts),
            "left_out": dict(self.left_out),
            "rows": [self._row_json(row) for row in self.rows],
            "budget": [{**asdict(point), "next_hour": gain} for point, gain in self.next_hours()],
        }

    def next_hours(self) -> list[tuple[BudgetPoint, float | None]]:
        """Each point of the budget with the mIoU points that an hour of further hints buys, up to the next point.

        None at a method's last point, and where the next one costs no more.
        """
        gains: list[float | None] = []
        for point, after in itertools.zip_longest(self.budget, self.budget[1:]):
            gain = None
            if after is not None and after.method == point.method and after.minutes > point.minutes:
                gain = 60 * (after.miou - point.miou) / (after.minutes - point.minutes)
            gains.append(gain)
        return list(zip(self.budget, gains, strict=True))

    def _row_json(self, row: MethodRow) -> dict[str, Any]:
        gap, quality = self.gap(row), estimate(list(row.miou.values()))
        outline = estimate(list(row.boundary_iou.values())) if row.boundary_iou else None
        return {
            "method": row.method,
            "role": str(row.role),
            "miou": quality.mean,
            "miou_interval": _ends(quality),
            "miou_per_seed": [row.miou.get(seed) for seed in self.seeds],
            "gap": gap and gap.gap.mean,
            "gap_interval": gap and _ends(gap.gap),
            "gap_reduction": gap and gap.reduction and gap.reduction.mean,
            "gap_reduction_interval": gap and _ends(gap.reduction),
            "gap_reduction_undefined": gap.reason if gap else "the report lacks a floor or a ceiling",
            "share_of_full": gap and gap.share and gap.share.mean,
            "share_of_full_interval": gap and _ends(gap.share),
            "boundary_iou": outline and outline.mean,
            "boundary_iou_interval": _ends(outline),
            "mean_class_accuracy": row.mean_accuracy,
            "pixel_accuracy": row.pixel_accuracy,
            "minutes": row.minutes,
            "inference": dict(row.inference),
            "class_iou": dict(zip(self.classes.names, row.class_iou, strict=True)),
        }


def _ends(value: Estimate | None) -> list[float] | None:
    return list(value.interval) if value is not None and value.interval is not None else None
