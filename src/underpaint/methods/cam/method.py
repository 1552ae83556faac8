"""The plainest way from tags to masks: a classifier's response maps, cut into labels, and a network trained on them."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from underpaint.core.config import Config
from underpaint.losses.candidates import nothing, seed_cross_entropy
from underpaint.losses.tags import class_tag_loss
from underpaint.methods.base import Inference, Method, Stage
from underpaint.methods.cam import ABOUT
from underpaint.methods.tags.maps import Background, resized, scored
from underpaint.records import Batch, Head, NetOutput, Progress, Terms


class CamConfig(Config):
    """Settings of cam.

    Attributes:
        background: Score of the background against the normalised maps: ``constant``, or ``power`` of what the
            strongest map leaves.
        level: The constant (0.15: SC-CAM's and IRN's evaluation), or the power.
        scales: At which the classifier looks at the training images (PSA and its successors), each also mirrored.
    """

    background: Background = "constant"
    level: float = Field(default=0.15, ge=0)
    scales: tuple[float, ...] = (1.0, 2.0)


class Cam(Method[CamConfig], about=ABOUT):
    """A classifier on tags, and a segmentation network on the argmax of its response maps."""

    needs: ClassVar[frozenset[Head]] = frozenset({Head.TAGS})
    Settings: ClassVar[type[Config]] = CamConfig

    def stages(self) -> tuple[Stage, ...]:
        """A classifier, the same whatever the settings, and a fresh network on the labels."""
        return (Stage(name="classify", method=self.name, decodes=False), Stage(name="retrain", heads=()))

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """``tags`` where the network has a tag head, else ``seeds``."""
        terms = {"tags": nothing(out.logits), "seeds": nothing(out.logits)}
        if out.tag_logits is None:
            terms["seeds"] = seed_cross_entropy(out, batch.seeds())
        else:
            background = self.classes.background
            terms["tags"] = class_tag_loss(out.tag_logits, batch.tags, batch.tags_known, background=background)
        return terms

    def prepare(self, stage: Stage, infer: Inference) -> None:
        """Label every pixel with the class of the highest score."""
        config, background = self.config, self.classes.background
        for still in infer.images():
            responses = infer.responses(still, scales=config.scales, flip=True)
            full = resized(responses, (still.rgb.shape[0], still.rgb.shape[1]))
            scores = scored(full, still.present, background=background, kind=config.background, level=config.level)
            infer.write_labels(still.name, scores.labels())
