"""RRM: one network for classification and segmentation; the class activation maps label reliable pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from underpaint.core.config import Config
from underpaint.hints.rasterise import Mask
from underpaint.kernels.meanfield import CrfParameters, mean_field
from underpaint.losses.candidates import nothing, seed_cross_entropy
from underpaint.losses.grid import shrink_image
from underpaint.losses.tags import class_tag_loss
from underpaint.methods.base import Method
from underpaint.methods.inference import Inference
from underpaint.methods.rrm import ABOUT
from underpaint.methods.rrm.labels import Reliability, reliable_labels
from underpaint.methods.rrm.losses import gated_dense_energy, split_cross_entropy
from underpaint.methods.stage import LabelMaker, Stage, StageNetwork
from underpaint.methods.tags.learners import ClassifierConfig, LabelledPixels, NoSettings, classify
from underpaint.methods.tags.refine import Refiner
from underpaint.records import Batch, Head, NetOutput, Progress, Terms

MASK_CRF = CrfParameters(3, 3, 83, 5, 4)
"""Dense CRF that sharpens the masks of the first network in RRM's second step (the authors' code)."""


class RrmConfig(ClassifierConfig):
    """Settings of RRM. The defaults are those of the authors' code if nothing else is stated.

    Attributes:
        schedule: ``classified`` trains a classifier first and starts from it, as the authors advise. ``scratch`` is one
            training, whose first half learns only the tags.
        steps: ``one`` or ``two``. With ``two``, a new network is trained on the predictions of the first network for
            the training images.
        scales: Factors on the size of the crop; in every training step, class activation maps are summed over them. The
            authors use 0.5 to 2 with a network of stride 8; our network has stride 16, and its maps are as fine at
            twice the size.
        refiner: ``crf``, or ``par`` for pixel-adaptive refinement, which is several times faster but is not the
            procedure of the paper.
        label_stride: Side of a label in pixels of the crop. This is our own setting: the authors' labels have full
            size, and take longer to make than the rest of the step.
        foreground_alpha: Exponent of the background score in the refinement that selects reliable object pixels.
        background_alpha: The same in the refinement that selects reliable background pixels. The authors' 32 (with a
            level of 0.8) fits maps that are zero nearly everywhere; with our maps it keeps a quarter of the background.
        confidence: Smallest probability of a reliable pixel after the refinements.
        share: Share of a class's pixels that are reliable: those with the largest values in its map.
        least: Smallest value in the map of a reliable pixel.
        background_level: Smallest background score of a reliable background pixel.
        energy_weight: Weight of `gated_dense_energy`. The authors' 1e-7 is the weight of the sum over a 160 x 160 grid
            with a reach of 50 cells: ``1e-7 * 160^2 * 50^2 = 6.4``.
        sigma_xy: Standard deviation of the position in the energy, in pixels of the crop.
        sigma_rgb: Standard deviation of the colour for RGB in [0, 1]; 15 grey levels of 255 as in the authors' code.
        gradient: ``reference`` as in the authors' code, or the ``exact`` gradient of the gated energy.
    """

    schedule: Literal["classified", "scratch"] = "classified"
    steps: Literal["one", "two"] = "one"
    scales: tuple[float, ...] = Field(default=(1.0, 2.0), min_length=1)
    refiner: Refiner = "crf"
    label_stride: int = Field(default=2, ge=1, le=8)
    foreground_alpha: float = Field(default=4.0, gt=0)
    background_alpha: float = Field(default=8.0, gt=0)
    confidence: float = Field(default=0.8, ge=0, le=1)
    share: float = Field(default=0.4, gt=0, le=1)
    least: float = Field(default=0.1, ge=0, lt=1)
    background_level: float = Field(default=0.5, ge=0, lt=1)
    energy_weight: float = Field(default=6.4, ge=0)
    sigma_xy: float = Field(default=100.0, gt=0)
    sigma_rgb: float = Field(default=15 / 255, gt=0)
    gradient: Literal["reference", "exact"] = "reference"


class Rrm(Method[RrmConfig], about=ABOUT):
    """Cross-entropy on reliable pixels, which two CRFs select from class activation maps, and a gated dense energy."""

    needs: ClassVar[frozenset[Head]] = frozenset({Head.TAGS})
    Settings: ClassVar[type[Config]] = RrmConfig

    def stages(self) -> tuple[Stage, ...]:
        """The classifier (if set), the training, and (if set) a new network trained on its predictions."""
        config = self.config
        first = (classify(self.classes, config),) if config.schedule == "classified" else ()
        train = Stage(
            name="train",
            network=StageNetwork(start="previous" if first else "fresh"),
            # Runs with one and with two steps share this stage.
            learner=Rrm(config.model_copy(update={"steps": "one"}), self.classes),
        )
        retrain = Stage(
            name="retrain",
            learner=LabelledPixels(NoSettings(), self.classes),
            labels=SharpenedPredictions(NoSettings(), self.classes),
        )
        return (*first, train, *((retrain,) if config.steps == "two" else ()))

    def response_scales(self, progress: Progress) -> tuple[float, ...]:
        """The scales, as soon as labels are made."""
        return self.config.scales if self._labelling(progress) else ()

    def _labelling(self, progress: Progress) -> bool:
        return self.config.schedule != "scratch" or progress.fraction >= 0.5

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """``seeds`` (hinted pixels), ``tags``, and with labels ``background``, ``foreground`` and ``energy``."""
        assert out.tag_logits is not None
        config, background, labels = self.config, self.classes.background, out.labels
        terms = dict.fromkeys(("background", "foreground", "energy"), nothing(out.logits))
        terms["tags"] = class_tag_loss(out.tag_logits, batch.tags, batch.tags_known, background=background)
        terms["seeds"] = seed_cross_entropy(out, batch.seeds())
        if labels is None:
            return terms
        coarse = replace(out, size=(labels.shape[1], labels.shape[2]))
        terms["background"], terms["foreground"] = split_cross_entropy(coarse, labels, background=background)
        energy = gated_dense_energy(
            out.logits,
            batch.rgb,
            batch.valid,
            labels,
            sigma_xy=config.sigma_xy * out.logits.shape[2] / out.size[0],
            sigma_rgb=config.sigma_rgb,
            gradient=config.gradient,
        )
        terms["energy"] = config.energy_weight * energy
        return terms

    def make_labels(self, out: NetOutput, batch: Batch, progress: Progress) -> Tensor | None:
        """(N, H / label_stride, W / label_stride) uint8 labels of the reliable pixels, 255 elsewhere."""
        if not self._labelling(progress):
            return None
        stride = self.config.label_stride
        small, inside = shrink_image(batch.rgb, batch.valid, (out.size[0] // stride, out.size[1] // stride))
        assert out.responses is not None
        pixels = (small * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        parts = (out.responses.float().cpu().numpy(), batch.tags.cpu().numpy(), pixels, inside.cpu().numpy())
        work = partial(reliable_labels, background=self.classes.background, rule=self.rule())
        labels = [work(*each) for each in zip(*parts, strict=True)]
        return torch.from_numpy(np.stack(labels)).to(out.logits.device)

    def rule(self) -> Reliability:
        """The conditions for a reliable pixel."""
        config = self.config
        return Reliability(
            foreground_alpha=config.foreground_alpha,
            background_alpha=config.background_alpha,
            confidence=config.confidence,
            share=config.share,
            least=config.least,
            background=config.background_level,
            refiner=config.refiner,
            stride=config.label_stride,
        )


class SharpenedPredictions(LabelMaker[NoSettings]):
    """Labels of the second step: predictions of the first network for the classes in the tags, after a dense CRF."""

    def make(self, infer: Inference) -> None:
        """Make the labels in one pass over the images. The CRF runs on all cores."""
        for name, labels in infer.each(_sharpened, self._jobs(infer)):
            infer.write_labels(name, labels)

    def _jobs(self, infer: Inference) -> Iterator[_Job]:
        for image in infer.images():
            allowed = np.flatnonzero(image.allowed)
            probabilities = infer.probabilities(image, scales=(1.0,), flip=True)[allowed]
            yield _Job(image.name, image.picture, allowed, probabilities)


@dataclass(frozen=True)
class _Job:
    """One training image, and the network's probabilities of the classes that it may contain."""

    name: str
    rgb: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]


def _sharpened(job: _Job) -> tuple[str, Mask]:
    if len(job.classes) == 1:  # only one class is possible
        return job.name, np.full(job.rgb.shape[:2], job.classes[0], np.uint8)
    total = job.probabilities.sum(axis=0, keepdims=True)
    refined = mean_field(job.probabilities / np.maximum(total, 1e-8), job.rgb, MASK_CRF)
    return job.name, job.classes[refined.argmax(axis=0)].astype(np.uint8)
