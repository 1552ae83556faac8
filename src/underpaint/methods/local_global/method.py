"""Combines a local and a global model, for scribbles and clicks (Mayer, Timofte and Paul 2018)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from underpaint.core.config import Config, Settings
from underpaint.hints.rasterise import UNKNOWN
from underpaint.losses.candidates import nothing, seed_cross_entropy, soft_cross_entropy
from underpaint.losses.gated_crf import PUBLISHED, RADIUS, gated_crf_loss
from underpaint.methods.base import CandidateConfig, CandidateMethod
from underpaint.methods.local_global import ABOUT
from underpaint.methods.local_global.labels import AnnotationConfig, CombinedAnnotations
from underpaint.methods.stage import OtherMethod, Stage, StageNetwork
from underpaint.records import Batch, NetOutput, Progress, Terms


class LocalGlobalConfig(AnnotationConfig, CandidateConfig):
    """Settings of local-global. Those of the paper are not public; the page of the method shows what was measured.

    Attributes:
        baseline: The method that learns the hints first: ``quick`` fits a linear model on frozen features in seconds,
            the others train a network. ``box-uncertainty`` uses its own weights instead of ``set_weight``.
        rounds: Number of rounds of averaging and training.
        hint_weight: Weight of a second cross-entropy in retraining, over the hinted pixels only. Strokes on small and
            large objects have similar lengths, so it balances the classes better than dense labels do.
        tagged: Whether images that have only tags are also labelled and used for training if other images have more
            hints. By default they are not: classes that the network predicts badly are missing in their labels, so that
            the next network would predict these classes even less.
        gated_weight: Weight of the Gated CRF loss in the training on the combined labels; 0 means no such loss, as in
            the paper.
    """

    baseline: Literal["quick", "partial", "gated-crf", "dense-crf-loss", "box-uncertainty"] = "quick"
    rounds: int = Field(default=1, ge=1, le=5)
    hint_weight: float = Field(default=1.0, ge=0)
    tagged: bool = False
    gated_weight: float = Field(default=0.0, ge=0)


class LocalGlobal(CandidateMethod[LocalGlobalConfig], about=ABOUT):
    """A model of all hints, and a model fitted on the hints of each image, label the images together."""

    Settings: ClassVar[type[Config]] = LocalGlobalConfig

    def stages(self) -> tuple[Stage, ...]:
        """The baseline, and a new network for every round."""
        config = self.config
        annotations = CombinedAnnotations(config.part(AnnotationConfig), self.classes)
        used: Literal["all", "marked"] = "all" if config.tagged else "marked"
        rounds = range(1, config.rounds + 1)
        return (self._baseline(), *(Stage(name=f"retrain-{n}", labels=annotations, images=used) for n in rounds))

    def _baseline(self) -> Stage:
        config = self.config
        if config.baseline == "quick":
            return Stage(name="fit", network=StageNetwork(fitted=True), learner=OtherMethod("quick", {}))
        own: Settings = {"absent_weight": config.absent_weight, "balance": config.balance}
        if config.baseline != "box-uncertainty":
            own["set_weight"] = config.set_weight
        return Stage(name="train", learner=OtherMethod(config.baseline, own), images=config.images)

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """``seeds`` (hard labels) or ``annotation`` (soft labels), ``hints``, ``sets``, ``absent``, ``gated-crf``."""
        config = self.config
        terms = self.candidate_terms(out, batch)
        seeds, soft = batch.seeds(), batch.soft if config.targets == "soft" else None
        if batch.hinted is not None:
            seeds = seeds.masked_fill(~batch.hinted, UNKNOWN)
        terms["hints"] = config.hint_weight * seed_cross_entropy(out, seeds, balance=config.balance)
        terms["annotation"] = nothing(out.logits) if soft is None else soft_cross_entropy(out, soft, batch.valid)
        if soft is not None:  # the soft labels contain the hints
            terms["seeds"] = nothing(out.logits)
        terms["gated-crf"] = nothing(out.logits)
        if config.gated_weight:
            probabilities = out.logits.float().softmax(dim=1)
            energy = gated_crf_loss(probabilities, batch.rgb, batch.valid, kernels=[PUBLISHED], radius=RADIUS)
            terms["gated-crf"] = config.gated_weight * energy
        return terms
