"""The floor of every comparison: it learns only from the hints, pixel by pixel."""

from __future__ import annotations

from typing import ClassVar

from underpaint.core.config import Config
from underpaint.methods.base import CandidateConfig, CandidateMethod
from underpaint.methods.partial import ABOUT
from underpaint.records import Batch, NetOutput, Progress, Terms


class Partial(CandidateMethod[CandidateConfig], about=ABOUT):
    """Candidate-set cross-entropy: partial cross-entropy for pixels with one candidate, its set form for several."""

    Settings: ClassVar[type[Config]] = CandidateConfig

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Terms ``seeds``, ``sets`` (inside boxes) and ``absent`` (the rest of a tagged image)."""
        return self.candidate_terms(out, batch)
