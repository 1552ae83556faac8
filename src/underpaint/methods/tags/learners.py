"""Losses of stages that several methods for tags share: the classifier, and the network that learns the labels."""

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
    """The settings of losses that have none."""


class TagClassifier(Learner[NoSettings]):
    """Learns which classes are in an image."""

    name: ClassVar[str] = "tag-classifier"
    needs: ClassVar[frozenset[Head]] = frozenset({Head.TAGS})

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """One term, ``tags``."""
        assert out.tag_logits is not None
        background = self.classes.background
        return {"tags": class_tag_loss(out.tag_logits, batch.tags, batch.tags_known, background=background)}

    def fit(self, stage: Stage, fitting: Fitting) -> LinearModel:
        """Fit the tag head on the frozen encoder. This is a convex problem, which is solved until convergence."""
        rows, present, known = [], [], []
        for image, windows in fitting.pooled():
            rows.append(windows)
            present += [image.present] * len(windows)
            known += [image.present | ~image.allowed] * len(windows)
        stated = np.stack(known)
        if self.classes.background is not None:
            stated[:, self.classes.background] = False  # every image has background, so it cannot be learned
        weight = fit_tags(np.concatenate(rows), np.stack(present), stated)
        return LinearModel(weight, np.zeros(len(weight), np.float32))


class LabelledPixels(Learner[NoSettings]):
    """Learns the pixel labels of the previous stage, and the hints."""

    name: ClassVar[str] = "labelled-pixels"

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """One term, ``seeds``."""
        return {"seeds": seed_cross_entropy(out, batch.seeds())}


class ClassifierConfig(Config):
    """Settings of the classifier, which is the first stage of the methods for tags.

    Attributes:
        classifier: ``linear`` is a linear model on the frozen pre-trained encoder, which is fitted in seconds. With
            ``trained``, encoder and head are trained together, as in the papers.
    """

    classifier: Literal["linear", "trained"] = "linear"


def classify(classes: ClassTable, config: ClassifierConfig) -> Stage:
    """The stage that trains the classifier. It is the same in all methods, so that runs can share it."""
    network = StageNetwork(decodes=False, fitted=config.classifier == "linear")
    return Stage(name="classify", network=network, learner=TagClassifier(NoSettings(), classes))
