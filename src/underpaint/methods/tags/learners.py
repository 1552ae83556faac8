"""Losses of stages that several methods for tags have: the classifier at first, the network on labels last."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config
from underpaint.features.linear import LinearModel
from underpaint.features.tag_linear import fit_tags
from underpaint.losses.candidates import seed_cross_entropy
from underpaint.losses.tags import class_tag_loss
from underpaint.methods.inference import Fitting
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

    def fit(self, stage: Stage, fitting: Fitting) -> LinearModel:
        """The tag head on the encoder as it is: a convex problem, solved to convergence."""
        rows, present, known = [], [], []
        for image, windows in fitting.pooled():
            rows.append(windows)
            present += [image.present] * len(windows)
            known += [image.present | ~image.allowed] * len(windows)
        told = np.stack(known)
        if self.classes.background is not None:
            told[:, self.classes.background] = False  # behind everything: no image lacks it
        weight = fit_tags(np.concatenate(rows), np.stack(present), told)
        return LinearModel(weight, np.zeros(len(weight), np.float32))


class LabelledPixels(Learner[NoSettings]):
    """Learns the labels that the stage before gave to pixels, and the hints."""

    name: ClassVar[str] = "labelled-pixels"

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """One term, ``seeds``."""
        return {"seeds": seed_cross_entropy(out, batch.seeds())}


class ClassifierConfig(Config):
    """Settings of the classifier that methods for tags begin with.

    Attributes:
        classifier: ``linear``: a linear model on the encoder as it was pre-trained, fitted to convergence in seconds.
            ``trained``: encoder and head trained together, as in the papers.
    """

    classifier: Literal["linear", "trained"] = "linear"


def classify(classes: ClassTable, config: ClassifierConfig) -> Stage:
    """The stage that makes the classifier. It is the same in all methods, so that runs can share it."""
    network = StageNetwork(decodes=False, fitted=config.classifier == "linear")
    return Stage(name="classify", network=network, learner=TagClassifier(NoSettings(), classes))
