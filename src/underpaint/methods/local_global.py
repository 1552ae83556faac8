"""Local and global annotators combined, for scribbles and clicks (Mayer, Timofte and Paul 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from underpaint.core.config import Config, Settings
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.hints.types import Kind
from underpaint.local.annotator import LocalModel, annotate
from underpaint.local.combine import Average, Regulariser, combine, regularise
from underpaint.losses.candidates import candidate_terms, nothing, seed_cross_entropy
from underpaint.losses.gated_crf import PUBLISHED, RADIUS, gated_crf_loss
from underpaint.losses.soft import soft_cross_entropy
from underpaint.methods.base import CandidateConfig, Inference, Method, Reference, Stage
from underpaint.records import Batch, NetOutput, Progress, Terms

SOFT_STRIDE = 4
"""Pixels a side of a cell of soft annotations: the stride of the default network."""


class LocalGlobalConfig(CandidateConfig):
    """Settings of local-global. The paper's own are not public; see the page of the method for what is measured.

    Attributes:
        baseline: Method that trains the first network, on the hints.
        local: Local model; see `underpaint.local.annotator`.
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
        gated_weight: Of the Gated CRF loss in the training on the combined annotation; 0 for none (the paper).
    """

    baseline: Literal["partial", "gated-crf", "dense-crf-loss"] = "partial"
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
    gated_weight: float = Field(default=0.0, ge=0)


@dataclass(frozen=True)
class _Job:
    """One training image, with what the network says of its hinted classes."""

    name: str
    rgb: npt.NDArray[np.uint8]
    seeds: Mask
    network: npt.NDArray[np.float32] | None
    features: npt.NDArray[np.float32] | None


class LocalGlobal(Method[LocalGlobalConfig]):
    """A network trained on hints and a model fitted on each image's own hints annotate the training images together."""

    name: ClassVar[str] = "local-global"
    reference: ClassVar[Reference | None] = Reference(
        "Weakly Supervised Semantic Segmentation: combining local and global models",
        "Mayer, Timofte, Paul",
        2018,
        "https://arxiv.org/abs/1808.01625",
    )
    accepts: ClassVar[frozenset[Kind]] = frozenset({Kind.SCRIBBLE, Kind.CLICK, Kind.MASK, Kind.TAG})
    summary: ClassVar[str] = "network and per-image model annotate the images together; a fresh network learns that"
    Settings: ClassVar[type[Config]] = LocalGlobalConfig

    def stages(self) -> tuple[Stage, ...]:
        """The baseline, and a fresh network for every round."""
        own: Settings = {"set_weight": self.config.set_weight, "absent_weight": self.config.absent_weight}
        first = Stage(name="train", method=self.config.baseline, settings=own)
        return (first, *(Stage(name=f"retrain-{number + 1}") for number in range(self.config.rounds)))

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """``seeds`` (hard labels) or ``annotation`` (soft ones), ``hints``, ``sets``, ``absent`` and ``gated-crf``."""
        config = self.config
        terms = candidate_terms(out, batch, set_weight=config.set_weight, absent_weight=config.absent_weight)
        seeds, soft = batch.seeds(), batch.soft if config.targets == "soft" else None
        if batch.hinted is not None:
            seeds = seeds.masked_fill(~batch.hinted, UNKNOWN)
        terms["hints"] = config.hint_weight * seed_cross_entropy(out, seeds)
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
        work = partial(_annotated, config=self.config)
        for name, classes, probabilities in infer.each(work, self._jobs(infer)):
            if self.config.targets == "soft":
                whole = np.zeros((len(self.classes), *probabilities.shape[1:]), np.float32)
                whole[classes] = probabilities
                infer.write_soft(name, whole)
            else:
                infer.write_labels(name, _hard(classes, probabilities))

    def _jobs(self, infer: Inference) -> Iterator[_Job]:
        config = self.config
        for still in infer.images():
            drawn = np.unique(still.seeds[still.seeds != UNKNOWN])
            if len(drawn) == 0:  # nobody pointed at anything: tags alone say nothing of a pixel
                continue
            network = features = None
            if config.weight < 1:
                network = infer.probabilities(still, scales=config.scales, flip=True)[drawn]
            if config.weight > 0 and config.local == "deep":
                features = infer.features(still)
            yield _Job(still.name, still.rgb, still.seeds, network, features)


Annotated = tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.float32]]


def _annotated(job: _Job, *, config: LocalGlobalConfig) -> Annotated:
    """Name, the K hinted classes, and (K, H, W) probabilities, all 0 where unknown; (K, h, w) for soft targets."""
    known = job.seeds != UNKNOWN
    classes, numbers = np.unique(job.seeds[known], return_inverse=True)
    seeds = np.full_like(job.seeds, UNKNOWN)
    seeds[known] = numbers
    network, shown = job.network, seeds
    if network is not None and config.other > 0:
        network, shown = _with_other(network, seeds, config.other)
    local = annotate(job.rgb, shown, model=config.local, deep=job.features) if config.weight > 0 else None
    if local is not None and network is not None and len(local) < len(network):  # nothing else was found to show
        local = np.concatenate([local, np.zeros_like(local[:1])])
    average = combine(network, local, weight=config.weight, average=config.average, seeds=seeds)
    refined = regularise(average, job.rgb, config.regulariser, seeds=seeds)
    best = refined.argmax(axis=0)
    sure = np.take_along_axis(average, best[None], axis=0)[0] >= config.confidence
    refined = refined[: len(classes)] * (known | (sure & (best < len(classes))))
    if config.targets == "soft":
        refined = _pooled(refined, SOFT_STRIDE)
    return job.name, classes, refined


def _with_other(network: npt.NDArray[np.float32], seeds: Mask, least: float) -> tuple[npt.NDArray[np.float32], Mask]:
    """(K + 1, H, W) probabilities, the last of "something else", and the seeds with K where that is likely."""
    mass = network.sum(axis=0)
    shown = np.where((mass < least) & (seeds == UNKNOWN), len(network), seeds).astype(np.uint8)
    return np.concatenate([network, np.maximum(1 - mass, 0)[None]]), shown


def _pooled(probabilities: npt.NDArray[np.float32], stride: int) -> npt.NDArray[np.float32]:
    """Means over cells of stride x stride pixels; the last cells repeat the border."""
    _, height, width = probabilities.shape
    padded = np.pad(probabilities, ((0, 0), (0, -height % stride), (0, -width % stride)), mode="edge")
    cells = padded.reshape(len(padded), padded.shape[1] // stride, stride, padded.shape[2] // stride, stride)
    return np.asarray(cells.mean(axis=(2, 4)), dtype=np.float32)


def _hard(classes: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]) -> Mask:
    labels: Mask = classes[probabilities.argmax(axis=0)]
    return np.where(probabilities.any(axis=0), labels, UNKNOWN).astype(np.uint8)
