"""The floor: learn from what the hints say, pixel by pixel, and from nothing else."""

from __future__ import annotations

from typing import ClassVar

from underpaint.core.config import Config
from underpaint.losses.candidates import candidate_terms
from underpaint.methods.base import CandidateConfig, Method
from underpaint.methods.partial import ABOUT
from underpaint.methods.stage import Stage
from underpaint.records import Batch, NetOutput, Progress, Terms


class Partial(Method[CandidateConfig], about=ABOUT):
    """Candidate-set cross-entropy: the partial one where one candidate is left, its set form where several are."""

    Settings: ClassVar[type[Config]] = CandidateConfig

    def stages(self) -> tuple[Stage, ...]:
        """One training, on the images of which the loss says something."""
        return (Stage(name="train", images=self.config.images),)

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Terms ``seeds``, ``sets`` (inside boxes) and ``absent`` (the rest of a tagged image)."""
        config = self.config
        return candidate_terms(
            out, batch, set_weight=config.set_weight, absent_weight=config.absent_weight, balance=config.balance
        )
