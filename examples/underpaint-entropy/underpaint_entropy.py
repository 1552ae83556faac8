"""Entropy minimisation beside the partial cross-entropy: the network should decide on pixels that no hint labels."""

from pydantic import Field

from underpaint.hints.types import Kind
from underpaint.losses.grid import at_centres
from underpaint.methods.about import Reference
from underpaint.methods.base import CandidateConfig, CandidateMethod
from underpaint.records import Batch, NetOutput, Progress, Terms


class EntropyConfig(CandidateConfig):
    """Settings of the method.

    Attributes:
        weight: Factor of the mean entropy, in nats; chosen by us, the paper tries several values.
    """

    weight: float = Field(default=0.02, ge=0)


class Entropy(CandidateMethod[EntropyConfig]):
    """Grandvalet and Bengio's regulariser with the labels of the hints."""

    name = "entropy"
    summary = "the partial cross-entropy, and decided predictions everywhere"
    accepts = frozenset(Kind) - {Kind.TAG}
    reference = Reference(
        "Semi-supervised Learning by Entropy Minimization", "Grandvalet, Bengio", 2004,
        "https://proceedings.neurips.cc/paper/2004/hash/96f2b50b5d3613adf9c27049b2a888c7-Abstract.html",
    )  # fmt: skip
    Settings = EntropyConfig

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """The terms of `partial`, and the mean entropy ``-sum_c p_c log p_c`` of the cells that show the image."""
        log = out.logits.float().log_softmax(dim=1)  # (N, C, h, w)
        valid = at_centres(batch.valid, (log.shape[2], log.shape[3]))  # (N, h, w): padding has no influence
        entropy = -(log.exp() * log).sum(dim=1)
        mean = (entropy * valid).sum() / valid.sum().clamp(min=1)
        return {**self.candidate_terms(out, batch), "entropy": self.config.weight * mean}
