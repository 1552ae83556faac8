"""The floor: learn from what the hints say, pixel by pixel, and from nothing else."""

from __future__ import annotations

from typing import ClassVar

from underpaint.core.config import Config
from underpaint.methods.base import CandidateConfig, CandidateMethod
from underpaint.methods.partial import ABOUT
from underpaint.records import Batch, NetOutput, Progress, Terms


class Partial(CandidateMethod[CandidateConfig], about=ABOUT):
    """Candidate-set cross-entropy: the partial one where one candidate is left, its set form where several are."""

    Settings: ClassVar[type[Config]] = CandidateConfig

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Terms ``seeds``, ``sets`` (inside boxes) and ``absent`` (the rest of a tagged image)."""
        return self.candidate_terms(out, batch)
