"""The floor: learn from what the hints say, pixel by pixel, and from nothing else."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from underpaint.core.config import Config
from underpaint.hints.types import Kind
from underpaint.losses.candidates import nothing, seed_cross_entropy, set_cross_entropy
from underpaint.methods.base import Method, Reference
from underpaint.records import Batch, NetOutput, Progress, Terms


class PartialConfig(Config):
    """Settings of the candidate-set cross-entropy.

    Attributes:
        set_weight: Of pixels that a box leaves with several candidates: ``-log sum_{c in set} p_c``.
        absent_weight: Of the pixels that carry only the image's tags; above 0, classes that the image does not show
            are unlearned everywhere in it (methods such as AGMM, CVPR 2023, add such a term). 0 keeps the floor
            honest: hint pixels alone.
    """

    set_weight: float = Field(default=1.0, ge=0)
    absent_weight: float = Field(default=0.0, ge=0)


class Partial(Method[PartialConfig]):
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
    Settings: ClassVar[type[Config]] = PartialConfig

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Terms ``seeds``, ``sets`` (inside boxes) and ``absent`` (the rest of a tagged image)."""
        return candidate_terms(out, batch, set_weight=self.config.set_weight, absent_weight=self.config.absent_weight)


def candidate_terms(out: NetOutput, batch: Batch, *, set_weight: float, absent_weight: float) -> Terms:
    """The terms that every method for sparse hints stands on."""
    return {
        "seeds": seed_cross_entropy(out, batch.seeds()),
        "sets": _weighted(out, batch, set_weight, whole_image=False),
        "absent": _weighted(out, batch, absent_weight, whole_image=True),
    }


def _weighted(out: NetOutput, batch: Batch, weight: float, *, whole_image: bool) -> Tensor:
    return weight * set_cross_entropy(out, batch, whole_image=whole_image) if weight else nothing(out.logits)
