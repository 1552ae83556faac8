"""SC-CAM: classifiers of sub-categories, whose response maps cover more; then affinities, a walk, and a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch.nn import functional as F

from underpaint.core.config import Config
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.kernels.randomwalk import random_walk
from underpaint.losses.candidates import nothing, seed_cross_entropy, soft_cross_entropy
from underpaint.losses.tags import class_tag_loss
from underpaint.methods.base import Inference, Method, Stage
from underpaint.methods.sc_cam import ABOUT
from underpaint.methods.sc_cam.labels import affinity_labels, subcategories
from underpaint.methods.sc_cam.losses import Form, affinities, affinity_loss, subtag_loss
from underpaint.methods.tags.maps import Scores, resized, scored
from underpaint.methods.tags.refine import refine
from underpaint.records import Batch, Head, NetOutput, Progress, Terms

LATER = ("walk_alpha", "walk_exponent", "walk_steps", "targets", "confidence", "retrain_rate")
"""Settings that are not felt before the walk."""


class ScCamConfig(Config):
    """Settings of SC-CAM; those of affinity and walk are PSA's (Ahn and Kwak, CVPR 2018) where nothing else is said.

    Attributes:
        subclasses: K, sub-categories of every class; fewer where a class has under 5 K images (ours).
        sub_weight: Of the sub-categories' loss.
        rounds: Times that features are clustered and a classifier is trained on the clusters.
        normalise: Cluster features of length 1 (ours; the authors' have any length).
        scales: At which the last classifier looks at the training images, each also mirrored.
        foreground_alpha: Power of the background score where objects are trusted.
        background_alpha: The same where background is trusted.
        affinity: ``feature`` as in PSA, or ``boundary`` as in IRN (Ahn, Cho and Kwak, CVPR 2019).
        affinity_epochs: Length of the affinity training, as a multiple of the recipe's; PSA's is half of its
            classifier's.
        radius: Reach of the pairs in cells.
        walk_stride: Pixels a side of a cell of the walk.
        walk_alpha: Power of the background score that the walk starts from (PSA: 16).
        walk_exponent: Sharpens the affinities.
        walk_steps: Length of the walk. PSA's is 256; affinities learned from some hundred photographs leak, and over so
            long a walk classes flow into what lies around them.
        targets: ``hard`` labels, or ``soft`` ones: shares of the scores after the walk.
        confidence: Share of the scores below which a pixel stays unknown (hard targets); ours: 0 labels all.
        retrain_rate: Factor on the learning rate of the last training. The authors use "a slightly lower learning rate
            to account for noisy labels"; the value is not public.
    """

    subclasses: int = Field(default=10, ge=1, le=1000)
    sub_weight: float = Field(default=5.0, ge=0)
    rounds: int = Field(default=3, ge=1, le=5)
    normalise: bool = False
    scales: tuple[float, ...] = (1.0, 2.0)
    foreground_alpha: float = Field(default=4.0, gt=0)
    background_alpha: float = Field(default=32.0, gt=0)
    affinity: Form = "feature"
    affinity_epochs: float = Field(default=0.5, gt=0)
    radius: int = Field(default=5, ge=2, le=64)
    walk_stride: Literal[4, 8] = 8
    walk_alpha: float = Field(default=8.0, gt=0)
    walk_exponent: float = Field(default=8.0, gt=0)
    walk_steps: int = Field(default=32, ge=0, le=10_000)
    targets: Literal["hard", "soft"] = "hard"
    confidence: float = Field(default=0.0, ge=0, lt=1)
    retrain_rate: float = Field(default=0.5, gt=0, le=1)


class ScCam(Method[ScCamConfig], about=ABOUT):
    """Clusters of a class's images as sub-categories, and what a classifier of both sees of each class."""

    Settings: ClassVar[type[Config]] = ScCamConfig

    def stages(self) -> tuple[Stage, ...]:
        """A classifier; one of sub-categories a round; affinities; the network. Each from pre-trained weights."""
        config = self.config
        rounds = [
            Stage(
                name=f"subclass-{number + 1}",
                method=self.name,
                settings={"sub_weight": config.sub_weight},  # what comes later does not ask for another training
                heads=(Head.TAGS,),
                subclasses=config.subclasses,
                decodes=False,
                ignores=LATER,
            )
            for number in range(config.rounds)
        ]
        affinity = Stage(name="affinity", epochs=config.affinity_epochs, heads=(Head.EMBEDDING,), ignores=LATER)
        last = Stage(name="retrain", heads=(), rate=config.retrain_rate)
        return (Stage(name="classify", method="cam", decodes=False), *rounds, affinity, last)

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """``tags`` and ``subtags``, or ``affinity``, or ``seeds`` and ``soft``, by the heads that the stage has."""
        config, background = self.config, self.classes.background
        if out.tag_logits is not None and out.sub_logits is not None:
            tags = class_tag_loss(out.tag_logits, batch.tags, batch.tags_known, background=background)
            return {"tags": tags, "subtags": config.sub_weight * subtag_loss(out.sub_logits, batch.subtags)}
        if out.embedding is not None:
            cells = self._cells(out)
            pooled = F.adaptive_avg_pool2d(out.embedding, cells)
            labels = F.interpolate(batch.seeds()[:, None].float(), cells, mode="nearest-exact")[:, 0].byte()
            loss = affinity_loss(pooled, labels, background=background, form=config.affinity, radius=config.radius)
            return {"affinity": loss}
        terms = {"seeds": seed_cross_entropy(out, batch.seeds()), "soft": nothing(out.logits)}
        if batch.soft is not None:
            terms["soft"] = soft_cross_entropy(out, batch.soft, batch.valid)
        return terms

    def _cells(self, out: NetOutput) -> tuple[int, int]:
        stride = self.config.walk_stride
        return max(1, out.size[0] // stride), max(1, out.size[1] // stride)

    def prepare(self, stage: Stage, infer: Inference) -> None:
        """Sub-categories, pairs for the affinities, or the labels of the network."""
        if stage.name.startswith("subclass"):
            self._cluster(infer)
        elif stage.name == "affinity":
            for name, labels in infer.each(partial(_paired, config=self.config), self._seen(infer)):
                infer.write_labels(name, labels)
        else:
            self._walk(infer)

    def _cluster(self, infer: Inference) -> None:
        features, present, allowed = {}, {}, {}
        for still in infer.images():
            features[still.name] = infer.pooled(still)
            present[still.name], allowed[still.name] = still.present, still.allowed
        config, background = self.config, self.classes.background
        made = subcategories(
            features, present, allowed, background=background, k=config.subclasses, normalise=config.normalise
        )
        for name, subtags in made.items():
            infer.write_subtags(name, subtags)

    def _seen(self, infer: Inference) -> Iterator[_Seen]:
        """Images with the last classifier's responses, which are kept: the next stage's network has none."""
        for still in infer.images():
            responses = infer.responses(still, scales=self.config.scales, flip=True)
            path = _kept(infer.folder, still.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, responses.astype(np.float16), allow_pickle=False)
            yield _Seen(still.name, still.rgb, responses, still.present, self.classes.background)

    def _walk(self, infer: Inference) -> None:
        assert infer.earlier is not None, "the affinity stage keeps the responses"
        config = self.config
        for still in infer.images():
            responses = np.load(_kept(infer.earlier, still.name), allow_pickle=False).astype(np.float32)
            size = still.rgb.shape[:2]
            scores = self.walked(responses, still.present, infer.embedding(still), size)
            if config.targets == "hard":
                infer.write_labels(still.name, self.labelled(scores, size))
            elif len(scores.classes):
                whole = np.zeros((len(self.classes), *scores.values.shape[1:]), np.float32)
                whole[scores.classes] = scores.values
                infer.write_soft(still.name, whole)

    def labelled(self, scores: Scores, size: tuple[int, int]) -> Mask:
        """(H, W) labels after the walk: the largest share of every pixel, 255 where it is below the confidence.

        Args:
            scores: As `walked` returns them.
            size: (H, W) of the image.
        """
        full = Scores(scores.classes, resized(scores.values, size), background=scores.background)
        labels = full.labels()
        if len(scores.classes):
            labels[full.values.max(axis=0) < self.config.confidence] = UNKNOWN
        return labels

    def walked(
        self,
        responses: npt.NDArray[np.float32],
        present: npt.NDArray[np.bool_],
        embedding: npt.NDArray[np.float32],
        size: tuple[int, int],
    ) -> Scores:
        """Scores on the walk's grid after it, summing to 1 over the classes.

        Args:
            responses: (C, h, w) response maps.
            present: (C,) the image's tags.
            embedding: (E, h, w) of the network of affinities.
            size: (H, W) of the image.
        """
        config = self.config
        cells = (-(-size[0] // config.walk_stride), -(-size[1] // config.walk_stride))
        start = scored(responses, present, background=self.classes.background, kind="power", level=config.walk_alpha)
        if len(start.classes) == 0:
            return Scores(start.classes, np.zeros((0, *cells), np.float32), background=False)
        likeness = affinities(torch.from_numpy(resized(embedding, cells)), form=config.affinity, radius=config.radius)
        walked = random_walk(
            torch.from_numpy(resized(start.values, cells)),
            likeness.clamp(0, 1),
            radius=config.radius,
            exponent=config.walk_exponent,
            steps=config.walk_steps,
        ).numpy()
        shares = walked / np.maximum(walked.sum(axis=0, keepdims=True), 1e-8)
        return Scores(start.classes, shares.astype(np.float32), background=start.background)


@dataclass(frozen=True)
class _Seen:
    """One training image, and what the last classifier sees in it."""

    name: str
    rgb: npt.NDArray[np.uint8]
    responses: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    background: int | None


def _kept(folder: Path, name: str) -> Path:
    return folder / "responses" / f"{name}.npy"


def _paired(seen: _Seen, *, config: ScCamConfig) -> tuple[str, Mask]:
    """Labels from which the affinity training draws its pairs, at full size."""
    size = (seen.rgb.shape[0], seen.rgb.shape[1])
    full = resized(seen.responses, size)
    alphas = (config.foreground_alpha, config.background_alpha)
    given = [scored(full, seen.present, background=seen.background, kind="power", level=alpha) for alpha in alphas]
    classes = given[0].classes.tolist()
    if not classes:
        return seen.name, np.full(size, UNKNOWN, np.uint8)
    if len(classes) == 1:  # no background, one class: nothing to tell it from
        return seen.name, np.full(size, classes[0], np.uint8)
    objects, ground = refine([each.values for each in given], seen.rgb, refiner="crf", stride=1)
    return seen.name, affinity_labels(objects, ground, classes, seen.background)
