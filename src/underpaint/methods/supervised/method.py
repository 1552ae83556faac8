"""The ceiling of every comparison: cross-entropy on full masks."""

from __future__ import annotations

from typing import ClassVar

from underpaint.core.config import Config
from underpaint.losses.candidates import seed_cross_entropy
from underpaint.methods.base import Method
from underpaint.methods.supervised import ABOUT
from underpaint.records import Batch, NetOutput, Progress, Terms


class SupervisedConfig(Config):
    """The method has no settings: it is plain cross-entropy on every labelled pixel."""


class Supervised(Method[SupervisedConfig], about=ABOUT):
    """Cross-entropy on the pixels of full masks; void pixels are left out."""

    Settings: ClassVar[type[Config]] = SupervisedConfig

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """One term, ``seeds``."""
        return {"seeds": seed_cross_entropy(out, batch.seeds())}
