"""Local and global annotators combined, for scribbles and clicks (Mayer, Timofte and Paul 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from underpaint.core.config import Config, Settings
from underpaint.data.samples import Still
from underpaint.hints.rasterise import UNKNOWN
from underpaint.losses.candidates import candidate_terms, nothing, seed_cross_entropy, soft_cross_entropy
from underpaint.losses.gated_crf import PUBLISHED, RADIUS, gated_crf_loss
from underpaint.methods.base import MASK_SHARE, CandidateConfig, Inference, Method, Stage
from underpaint.methods.local_global import ABOUT
from underpaint.methods.local_global.combine import Average, Regulariser
from underpaint.methods.local_global.labels import Job, Rule, annotated, hard, pooled
from underpaint.methods.local_global.local_models import LocalModel
from underpaint.records import Batch, NetOutput, Progress, Terms

SOFT_STRIDE = 4
"""Pixels a side of a cell of soft annotations: the stride of the default network."""

PLACED_SHARE = 0.5
"""Least share of a batch from images that someone marked in, where others have tags alone: what a network made of those
must not outnumber what a person said."""


class LocalGlobalConfig(CandidateConfig):
    """Settings of local-global. The paper's own are not public; see the page of the method for what is measured.

    Attributes:
        baseline: Method that trains the first network, on the hints; ``box-uncertainty`` where there are boxes, whose
            own weights then take the place of ``set_weight`` in that training.
        local: Local model; see `underpaint.methods.local_global.local_models`.
        weight: Of the local prediction in the average; 0 leaves it out (plain self-training), 1 leaves the network out.
        average: Kind of average.
        regulariser: What sharpens the average along the photograph's edges.
        targets: ``hard`` trains on the most probable class at full size, ``soft`` on the probabilities at stride 4.
        other: Where the network gives all hinted classes of an image together less than this, the local model is shown
            "something else", a class of its own in both annotations; pixels that it wins stay unknown. On MSRC-21 a
            fifth of the pixels show things that nobody hinted, and without it they are forced into a hinted class.
            0: images show hinted classes alone (the paper).
        confidence: Pixels whose label has a lower averaged probability than this stay unknown; 0 keeps all.
        scales: At which the network looks at the training images.
        rounds: Times that averaging and training are repeated.
        hint_weight: Of a second cross-entropy during retraining, over the hinted pixels alone. Strokes are of like
            length on small things and large ones: it keeps a balance of classes that dense labels lack.
        tagged: Whether images that have tags alone are annotated and learned from too, where others have more. What a
            network finds in them lacks the classes that it is weak in, and teaches it to leave them out.
        gated_weight: Of the Gated CRF loss in the training on the combined annotation; 0 for none (the paper).
        balance: As in `partial`; with ``images`` they are also drawn by what is hinted in them (`Stage.by_worth`).
    """

    baseline: Literal["partial", "gated-crf", "dense-crf-loss", "box-uncertainty"] = "partial"
    local: LocalModel = "colour"
    weight: float = Field(default=0.5, ge=0, le=1)
    average: Average = "arithmetic"
    regulariser: Regulariser = "crf"
    targets: Literal["hard", "soft"] = "hard"
    other: float = Field(default=0.4, ge=0, lt=1)
    confidence: float = Field(default=0.5, ge=0, lt=1)
    scales: tuple[float, ...] = (0.75, 1.0, 1.5)
    rounds: int = Field(default=1, ge=1, le=5)
    hint_weight: float = Field(default=1.0, ge=0)
    tagged: bool = False
    gated_weight: float = Field(default=0.0, ge=0)


class LocalGlobal(Method[LocalGlobalConfig], about=ABOUT):
    """A network trained on hints and a model fitted on each image's own hints annotate the training images together."""

    Settings: ClassVar[type[Config]] = LocalGlobalConfig

    def stages(self) -> tuple[Stage, ...]:
        """The baseline, and a fresh network for every round."""
        own: Settings = {"absent_weight": self.config.absent_weight, "balance": self.config.balance}
        boxes, by_worth = self.config.baseline == "box-uncertainty", self.config.balance == "images"
        if not boxes:
            own["set_weight"] = self.config.set_weight
        share = MASK_SHARE if boxes else 0.0
        tagged = self.config.absent_weight > 0  # else they teach nothing yet, and would take the others' place
        first = Stage(
            name="train",
            method=self.config.baseline,
            settings=own,
            mask_share=share,
            by_worth=by_worth and not tagged,
            tagged=tagged,
        )
        again = Stage(name="again", placed_share=PLACED_SHARE, by_worth=by_worth, tagged=self.config.tagged)
        rounds = range(1, self.config.rounds + 1)
        return (first, *(again.model_copy(update={"name": f"retrain-{n}"}) for n in rounds))

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """``seeds`` (hard labels) or ``annotation`` (soft ones), ``hints``, ``sets``, ``absent`` and ``gated-crf``."""
        config = self.config
        terms = candidate_terms(
            out, batch, set_weight=config.set_weight, absent_weight=config.absent_weight, balance=config.balance
        )
        seeds, soft = batch.seeds(), batch.soft if config.targets == "soft" else None
        if batch.hinted is not None:
            seeds = seeds.masked_fill(~batch.hinted, UNKNOWN)
        terms["hints"] = config.hint_weight * seed_cross_entropy(out, seeds, balance=config.balance)
        terms["annotation"] = nothing(out.logits) if soft is None else soft_cross_entropy(out, soft, batch.valid)
        if soft is not None:  # they hold the hints already
            terms["seeds"] = nothing(out.logits)
        terms["gated-crf"] = nothing(out.logits)
        if config.gated_weight:
            probabilities = out.logits.float().softmax(dim=1)
            energy = gated_crf_loss(probabilities, batch.rgb, batch.valid, kernels=[PUBLISHED], radius=RADIUS)
            terms["gated-crf"] = config.gated_weight * energy
        return terms

    def prepare(self, stage: Stage, infer: Inference) -> None:
        """Annotate every training image by network and local model together."""
        config = self.config
        rule = Rule(**config.model_dump(include={field.name for field in fields(Rule)}))
        for name, classes, probabilities in infer.each(partial(_annotated, rule=rule), self._jobs(infer)):
            if config.targets == "soft":
                coarse = pooled(probabilities, SOFT_STRIDE)
                whole = np.zeros((len(self.classes), *coarse.shape[1:]), np.float32)
                whole[classes] = coarse
                infer.write_soft(name, whole)
            else:
                infer.write_labels(name, hard(classes, probabilities))

    def _jobs(self, infer: Inference) -> Iterator[Job]:
        config = self.config
        for still in infer.images():
            classes = self._named(still)
            whole = still.hints.mask is not None and not still.hints.strokes
            if len(classes) == 0 or whole:  # nothing is known of it, or all
                continue
            network = features = None
            if config.weight < 1 or not np.isin(classes, still.seeds).all():
                network = infer.probabilities(still, scales=config.scales, flip=True)[classes]
            if config.weight > 0 and config.local == "deep":
                features = infer.features(still)
            yield Job(still.name, still.rgb, still.candidates, classes, still.present[classes], network, features)

    def _named(self, still: Still) -> npt.NDArray[np.intp]:
        """Classes that the hints of an image speak of; with tags or boxes, the background lies behind them."""
        named = np.isin(np.arange(len(self.classes)), still.seeds)
        if still.hints.tags is not None or still.hints.boxes:
            named |= still.present
            if self.classes.background is not None:
                named[self.classes.background] = True
            named &= still.allowed
        return np.flatnonzero(named)


def _annotated(job: Job, *, rule: Rule) -> tuple[str, npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    return job.name, job.classes, annotated(job, rule=rule)
