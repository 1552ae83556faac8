"""The report of the doctor: the content of the data set, its problems, and an estimate for a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from underpaint.doctor.estimate import Estimate
from underpaint.doctor.findings import Finding, Level

VERSION = 1
"""Version of the JSON. Within a version, keys are added, but never renamed or removed."""


@dataclass(frozen=True)
class Report:
    """The result of an examination.

    Args:
        data: The path of the data set.
        split: The split that is examined as training data; None if the data set could not be opened.
        findings: Problems and notes, the blocking ones first.
        images: Number of photographs in the data set.
        splits: Number of names in each split.
        classes: Class names in their order.
        background: The background class, or None.
        sources: Each file of hints with its format.
        kinds: Number of images of the split with each kind of label.
        mixtures: Number of images of the split with each combination of kinds.
        labelled: Number of images of the split with labels.
        sizes: Numbers of pixels of the photographs.
        balance: One row per class; see `Balance.table`.
        estimate: The estimate for a training with default settings.
    """

    data: str
    split: str | None
    findings: Sequence[Finding]
    images: int = 0
    splits: Mapping[str, int] = field(default_factory=dict)
    classes: Sequence[str] = ()
    background: str | None = None
    sources: Sequence[tuple[str, str]] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    mixtures: Mapping[str, int] = field(default_factory=dict)
    labelled: int = 0
    sizes: Mapping[str, Any] = field(default_factory=dict)
    balance: Sequence[Mapping[str, Any]] = ()
    estimate: Estimate | None = None

    def __post_init__(self) -> None:
        order = list(Level)
        object.__setattr__(self, "findings", sorted(self.findings, key=lambda finding: order.index(finding.level)))

    @property
    def blocks(self) -> bool:
        """Whether a training that starts now would stop, or learn something wrong."""
        return any(finding.level is Level.BLOCKS for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report as an object for JSON; `VERSION` is the version of its keys."""
        return {
            "underpaint": "doctor",
            "version": VERSION,
            "data": self.data,
            "split": self.split,
            "blocks": self.blocks,
            "counts": {level: sum(finding.level is level for finding in self.findings) for level in Level},
            "findings": [finding.to_json() for finding in self.findings],
            "images": self.images,
            "splits": dict(self.splits),
            "classes": list(self.classes),
            "background": self.background,
            "sources": [{"path": path, "format": form} for path, form in self.sources],
            "kinds": dict(self.kinds),
            "mixtures": dict(self.mixtures),
            "labelled": self.labelled,
            "sizes": dict(self.sizes),
            "balance": [dict(row) for row in self.balance],
            "estimate": self.estimate.to_json() if self.estimate else None,
        }
