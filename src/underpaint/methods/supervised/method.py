"""The ceiling: cross-entropy on full masks."""

from __future__ import annotations

from typing import ClassVar

from underpaint.core.config import Config
from underpaint.hints.types import Kind
from underpaint.losses.candidates import seed_cross_entropy
from underpaint.methods.base import Method, Reference
from underpaint.records import Batch, NetOutput, Progress, Terms


class SupervisedConfig(Config):
    """No settings: plain cross-entropy on every labelled pixel."""


class Supervised(Method[SupervisedConfig]):
    """Cross-entropy on the pixels of full masks; void pixels are left out."""

    name: ClassVar[str] = "supervised"
    reference: ClassVar[Reference | None] = None
    accepts: ClassVar[frozenset[Kind]] = frozenset({Kind.MASK})
    summary: ClassVar[str] = "the ceiling: cross-entropy on full masks"
    Settings: ClassVar[type[Config]] = SupervisedConfig

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """One term, ``seeds``."""
        return {"seeds": seed_cross_entropy(out, batch.seeds())}
