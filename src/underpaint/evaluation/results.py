"""The content of a gap report: one row per method, pictures, the protocol, and its JSON form."""

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
    """The role of a row in the report."""

    FLOOR = "floor"
    METHOD = "method"
    CEILING = "ceiling"


@dataclass(frozen=True)
class MethodRow:
    """One method's results on the split.

    Args:
        method: Name, unique in the report.
        role: The floor (only hint pixels), the ceiling (full masks), or a method.
        miou: Pooled mIoU (0..100) by seed, for at least one seed.
        boundary_iou: Boundary IoU (0..100) by seed.
        class_iou: IoU of each class, mean over seeds; None if the class is absent from the ground truth.
        minutes: Annotation time of the training images in minutes, if known.
        mean_accuracy: Mean class accuracy (0..100), mean over seeds.
        pixel_accuracy: Percentage of the pixels that are correct (0..100), mean over seeds.
        inference: Mean mIoU with other kinds of inference ("scales and flips", "CRF", ...), which are not in ``miou``.
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
            raise DataError(f"the method {method!r} has no run", accepted="one evaluation per seed, and at least one")
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
        budget: Multiple of the usual amount of hints.
        minutes: Annotation time of all training images in minutes.
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
        masks: The mask (H, W) of each method, by the name of its row; methods without a mask are left out.
        truth: (H, W), 255 for void.
        hints: Labelled pixels (H, W), 255 for unknown, or None for a photograph without hints.
    """

    name: str
    photo: Rgb
    masks: Mapping[str, Mask]
    truth: Mask
    hints: Mask | None = None


@dataclass(frozen=True)
class GapReport:
    """The content of the report.

    Args:
        dataset: Name of the data set.
        split: The split that was scored.
        hints: Kind of hints in words, such as "scribbles".
        network: The network of all rows.
        tuning: The settings that were chosen with masks, and these masks; "nothing was chosen on masks" if there are
            none.
        command: The command that made the report.
        machine: The machine on which it ran.
        commit: Version of the code.
        classes: The class table.
        rows: Floor, methods and ceiling; at most one floor and one ceiling.
        pictures: Photographs with hints, masks and ground truth.
        facts: Other values that are the same for all rows (schedule, crop, seconds per hint, ...), in the order shown.
        curves: A PNG file with the training curves, or None.
        budget: Points of quality against annotation time, sorted by method and minutes.
        left_out: Methods that could not be trained and were not requested by name, with the reason.

    Raises:
        DataError: There is no row, a name is repeated, there are two floors or ceilings, or a row has no seeds or
        another
            number of classes.
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
            raise DataError(f"the rows are {names}", accepted="at least one row, each method once")
        for role in (Role.FLOOR, Role.CEILING):
            if roles.count(role) > 1:
                raise DataError(f"{roles.count(role)} rows are the {role}", accepted="at most one")
        for row in self.rows:
            if not row.miou or len(row.class_iou) != len(self.classes):
                raise DataError(
                    f"the row {row.method!r} has {len(row.miou)} seed(s) and {len(row.class_iou)} classes",
                    accepted=f"at least one seed, {len(self.classes)} classes",
                )

    def row(self, role: Role) -> MethodRow | None:
        """The first row with this role, or None."""
        return next((row for row in self.rows if row.role == role), None)

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds of all rows."""
        return tuple(sorted({seed for row in self.rows for seed in row.miou}))

    def gap(self, row: MethodRow) -> Gap | None:
        """The gap of a row, or None if the report has no floor or no ceiling."""
        floor, ceiling = self.row(Role.FLOOR), self.row(Role.CEILING)
        if floor is None or ceiling is None:
            return None
        return measure_gap(row.miou, floor=floor.miou, ceiling=ceiling.miou)

    def to_json(self) -> dict[str, Any]:
        """The numbers of the report without pictures: mIoU from 0 to 100, shares and reductions as fractions."""
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
        """Each point of the budget with the mIoU points gained per hour of more hints, up to the next point.

        The gain is None at the last point of a method, and if the next point does not take more time.
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
            "gap_reduction_undefined": gap.reason if gap else "the report has no floor or no ceiling",
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
