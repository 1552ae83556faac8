"""Losses of stages that several methods for tags have: the classifier at first, the network on labels last."""

from __future__ import annotations

from typing import ClassVar

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config
from underpaint.losses.candidates import seed_cross_entropy
from underpaint.losses.tags import class_tag_loss
from underpaint.methods.stage import Learner, Stage, StageNetwork
from underpaint.records import Batch, Head, NetOutput, Progress, Terms


class NoSettings(Config):
    """For losses without a setting."""


class TagClassifier(Learner[NoSettings]):
    """Learns which classes an image shows."""

    name: ClassVar[str] = "tag-classifier"
    needs: ClassVar[frozenset[Head]] = frozenset({Head.TAGS})

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """One term, ``tags``."""
        assert out.tag_logits is not None
        background = self.classes.background
        return {"tags": class_tag_loss(out.tag_logits, batch.tags, batch.tags_known, background=background)}


class LabelledPixels(Learner[NoSettings]):
    """Learns the labels that the stage before gave to pixels, and the hints."""

    name: ClassVar[str] = "labelled-pixels"

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """One term, ``seeds``."""
        return {"seeds": seed_cross_entropy(out, batch.seeds())}


def classify(classes: ClassTable) -> Stage:
    """The stage that trains the classifier. It is the same in all methods, so that runs can share it."""
    return Stage(name="classify", network=StageNetwork(decodes=False), learner=TagClassifier(NoSettings(), classes))
