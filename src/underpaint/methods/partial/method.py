"""The floor: learn from what the hints say, pixel by pixel, and from nothing else."""

from __future__ import annotations

from typing import ClassVar

from underpaint.core.config import Config
from underpaint.hints.types import Kind
from underpaint.losses.candidates import candidate_terms
from underpaint.methods.base import CandidateConfig, Method, Reference
from underpaint.records import Batch, NetOutput, Progress, Terms


class Partial(Method[CandidateConfig]):
    """Candidate-set cross-entropy: the partial one where one candidate is left, its set form where several are."""

    name: ClassVar[str] = "partial"
    reference: ClassVar[Reference | None] = Reference(
        "Normalized Cut Loss for Weakly-supervised CNN Segmentation (its baseline)",
        "Tang, Djelouah, Perazzi, Boykov, Schroers",
        2018,
        "https://arxiv.org/abs/1804.01346",
    )
    accepts: ClassVar[frozenset[Kind]] = frozenset(Kind)
    summary: ClassVar[str] = "the floor: cross-entropy on the pixels that the hints speak of"
    Settings: ClassVar[type[Config]] = CandidateConfig

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Terms ``seeds``, ``sets`` (inside boxes) and ``absent`` (the rest of a tagged image)."""
        config = self.config
        return candidate_terms(
            out, batch, set_weight=config.set_weight, absent_weight=config.absent_weight, balance=config.balance
        )
