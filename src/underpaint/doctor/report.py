"""The whole report: what is there, what is wrong with it, what a training would need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from underpaint.doctor.estimate import Estimate
from underpaint.doctor.findings import Finding, Level

VERSION = 1
"""Of the JSON; keys are added within a version, never renamed or removed."""


@dataclass(frozen=True)
class Report:
    """What the doctor found.

    Args:
        data: The data set's path.
        split: The split that is examined as training data; None where the data set could not be opened.
        findings: Problems and notes; what prevents a training comes first.
        images: Photographs in the data set.
        splits: Names by split.
        classes: Class names in order.
        background: The background class or None.
        sources: Each file of hints with its format.
        kinds: Images of the split with each kind of label.
        mixtures: Images of the split by the kinds that they carry together.
        labelled: Images of the split with labels.
        sizes: Pixels of the photographs.
        balance: A row a class.
        estimate: Of a training with default settings.
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
        """Whether a training that starts now would stop, or learn something false."""
        return any(finding.level is Level.BLOCKS for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """One object; `VERSION` says which keys it has."""
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
