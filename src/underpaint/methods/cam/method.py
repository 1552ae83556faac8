"""The simplest method for tags: class activation maps of a classifier as labels for a network."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from underpaint.core.config import Config
from underpaint.losses.candidates import seed_cross_entropy
from underpaint.methods.base import Method
from underpaint.methods.cam import ABOUT
from underpaint.methods.inference import Inference
from underpaint.methods.stage import LabelMaker, Stage
from underpaint.methods.tags.learners import ClassifierConfig, classify
from underpaint.methods.tags.maps import Background, resized, scored
from underpaint.records import Batch, NetOutput, Progress, Terms


class CamConfig(ClassifierConfig):
    """Settings of cam.

    Attributes:
        background: Score of the background, which competes with the normalised maps: ``constant``, or ``power``, which
            is a power of 1 minus the largest map.
        level: The constant (0.15 as in the evaluation of SC-CAM and IRN), or the exponent.
        scales: Factors on the size of the training images for the classifier. PSA and its successors use the same, and
            also mirror the images.
    """

    background: Background = "constant"
    level: float = Field(default=0.15, ge=0)
    scales: tuple[float, ...] = Field(default=(0.5, 1.0, 1.5, 2.0), min_length=1)


class Cam(Method[CamConfig], about=ABOUT):
    """A classifier learns the tags, and a segmentation network learns the argmax of its class activation maps."""

    Settings: ClassVar[type[Config]] = CamConfig

    def stages(self) -> tuple[Stage, ...]:
        """The classifier, and a new network that learns the labels."""
        return (
            classify(self.classes, self.config),
            Stage(name="retrain", labels=StrongestClass(self.config, self.classes)),
        )

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """One term, ``seeds``: the cross-entropy on the labels."""
        return {"seeds": seed_cross_entropy(out, batch.seeds())}


class StrongestClass(LabelMaker[CamConfig]):
    """Labels every pixel with the class that has the highest score."""

    def make(self, infer: Inference) -> None:
        """Make the labels in one pass over the images with the classifier."""
        config, background = self.config, self.classes.background
        for image in infer.images():
            responses = infer.responses(image, scales=config.scales, flip=False)
            full = resized(responses, (image.rgb.shape[0], image.rgb.shape[1]))
            scores = scored(full, image.present, background=background, kind=config.background, level=config.level)
            infer.write_labels(image.name, scores.labels())
