"""Labels of an image from a network and a local model, limited to the classes that its hints allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from underpaint.core.config import Config
from underpaint.data.samples import TrainingImage
from underpaint.hints.candidates import Candidates
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.methods.inference import Inference
from underpaint.methods.local_global.combine import Average, Probabilities, Regulariser, combine, regularise
from underpaint.methods.local_global.local_models import Frozen, LocalModel, annotate
from underpaint.methods.stage import LabelMaker

SOFT_STRIDE = 4
"""Side of a cell of soft annotations in pixels: the stride of the default network."""


class AnnotationConfig(Config):
    """Settings of the combined annotation.

    Attributes:
        local: The local model; see `underpaint.methods.local_global.local_models`.
        weight: Weight of the local prediction in the average. 0 is plain self-training; 1 does not use the network.
        average: Arithmetic or geometric mean.
        regulariser: The method that sharpens the average along the edges of the image.
        targets: ``hard`` trains on the most probable class at full size, ``soft`` on the probabilities at stride 4.
        other: If the hinted classes of an image together have a lower probability than this at a pixel, the pixel is an
            example of an additional class "something else". Pixels that are predicted as this class stay unknown. On
            MSRC-21 a fifth of the pixels show things without a hint, which would otherwise get a hinted class. 0 means
            that there is no such class, as in the paper.
        confidence: Pixels whose label has a lower averaged probability than this stay unknown; 0 keeps all pixels.
        scales: Scales of the training images at which the probabilities of the baseline are averaged. Three scales gave
            the same labels as one on MSRC-21 and took four times as long.
    """

    local: LocalModel = "quick"
    weight: float = Field(default=0.5, ge=0, le=1)
    average: Average = "arithmetic"
    regulariser: Regulariser = "crf"
    targets: Literal["hard", "soft"] = "hard"
    other: float = Field(default=0.4, ge=0, lt=1)
    confidence: float = Field(default=0.5, ge=0, lt=1)
    scales: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Job:
    """One image and its hints.

    Args:
        name: Name of the image.
        rgb: (H, W, 3) uint8.
        candidates: The classes that each pixel may have.
        classes: (K,) indices of the classes in the hints of the image, in order.
        present: (K,) bool, True for classes that the image certainly contains.
        network: (K, H, W) probabilities of these classes by the network; None if the network is not used.
        frozen: Features of the pre-trained encoder, for a local model that needs them.
    """

    name: str
    rgb: npt.NDArray[np.uint8]
    candidates: Candidates
    classes: npt.NDArray[np.intp]
    present: npt.NDArray[np.bool_]
    network: npt.NDArray[np.float32] | None
    frozen: Frozen | None


def annotated(job: Job, *, rule: AnnotationConfig) -> Probabilities:
    """(K, H, W) probabilities of the classes of the job; at pixels that stay unknown, all are 0.

    The network's probabilities are set to 0 for classes that are not candidates of the pixel. The local model is used
    if every class has a hinted pixel, because it cannot be fitted to a class that is only tagged or boxed. Hinted
    pixels keep their class.

    If a class that the image contains is predicted nowhere, the predictions at all pixels that may have this class are
    discarded, and only hinted pixels keep their label there. Otherwise every image with the tag of a rare class that
    the network has hardly learned would teach it to predict this class nowhere.
    """
    given = job.candidates.seeds()
    known = given != UNKNOWN
    numbers = np.full(UNKNOWN + 1, UNKNOWN, np.uint8)
    numbers[job.classes] = np.arange(len(job.classes))
    seeds = numbers[given]
    may = job.candidates.sets[:, job.classes].T[:, job.candidates.index]  # (K, H, W)
    drawn = np.isin(np.arange(len(job.classes)), seeds)
    weight = rule.weight if drawn.all() else 0.0
    network, shown = (None if job.network is None or weight == 1 else job.network * may), seeds
    if network is not None and rule.other > 0:
        network, shown = _with_other(network, seeds, rule.other)
    local = annotate(job.rgb, shown, model=rule.local, frozen=job.frozen) if weight > 0 else None
    if local is not None and network is not None and len(local) < len(network):  # no pixel is "something else"
        local = np.concatenate([local, np.zeros_like(local[:1])])
    average = combine(network, local, weight=weight, average=rule.average, seeds=seeds)
    refined = regularise(average, job.rgb, rule.regulariser, seeds=seeds)
    refined[: len(may)] *= may
    best = refined.argmax(axis=0)
    sure = np.take_along_axis(average, best[None], axis=0)[0] >= rule.confidence
    found = sure & (best < len(may))
    missed = job.present & ~drawn & ~np.isin(np.arange(len(may)), best[found])
    found &= ~may[missed].any(axis=0)
    return np.asarray(refined[: len(may)] * (known | found), dtype=np.float32)


def _with_other(network: Probabilities, seeds: Mask, least: float) -> tuple[Probabilities, Mask]:
    """(K + 1, H, W) probabilities, the last of "something else", and the seeds, with the value K at its examples."""
    mass = network.sum(axis=0)
    shown = np.where((mass < least) & (seeds == UNKNOWN), len(network), seeds).astype(np.uint8)
    return np.concatenate([network, np.maximum(1 - mass, 0)[None]]), shown


def pooled(probabilities: Probabilities, stride: int) -> Probabilities:
    """Means over cells of stride x stride pixels. Cells that cross the border repeat the pixels of the border."""
    _, height, width = probabilities.shape
    padded = np.pad(probabilities, ((0, 0), (0, -height % stride), (0, -width % stride)), mode="edge")
    cells = padded.reshape(len(padded), padded.shape[1] // stride, stride, padded.shape[2] // stride, stride)
    return np.asarray(cells.mean(axis=(2, 4)), dtype=np.float32)


def hard(classes: npt.NDArray[np.intp], probabilities: Probabilities) -> Mask:
    """(H, W) uint8 most probable class; 255 if all probabilities are 0."""
    labels = classes.astype(np.uint8)[probabilities.argmax(axis=0)]
    return np.where(probabilities.any(axis=0), labels, UNKNOWN).astype(np.uint8)


class CombinedAnnotations(LabelMaker[AnnotationConfig]):
    """Labels every training image with the network and the local model."""

    def make(self, infer: Inference) -> None:
        """Make the labels in one pass over the images with the network. The local models run on all cores."""
        for name, classes, probabilities in infer.each(partial(_annotated, rule=self.config), self._jobs(infer)):
            if self.config.targets == "soft":
                coarse = pooled(probabilities, SOFT_STRIDE)
                whole = np.zeros((len(self.classes), *coarse.shape[1:]), np.float32)
                whole[classes] = coarse
                infer.write_soft(name, whole)
            else:
                infer.write_labels(name, hard(classes, probabilities))

    def _jobs(self, infer: Inference) -> Iterator[Job]:
        config = self.config
        for image in infer.images():
            classes = self._named(image)
            whole = image.hints.mask is not None and not image.hints.strokes
            if len(classes) == 0 or whole:  # the image has no hints, or a complete mask
                continue
            network = frozen = None
            if config.weight < 1 or not np.isin(classes, image.seeds).all():
                network = infer.probabilities(image, scales=config.scales, flip=True)[classes]
            if config.weight > 0 and config.local == "quick":
                frozen = Frozen(infer.bank.features(image.rgb), infer.bank.penalties)
            yield Job(image.name, image.picture, image.candidates, classes, image.present[classes], network, frozen)

    def _named(self, image: TrainingImage) -> npt.NDArray[np.intp]:
        """The classes in the hints of an image. With tags or boxes, the background belongs to them."""
        named = np.isin(np.arange(len(self.classes)), image.seeds)
        if image.hints.tags is not None or image.hints.boxes:
            named |= image.present
            if self.classes.background is not None:
                named[self.classes.background] = True
            named &= image.allowed
        return np.flatnonzero(named)


def _annotated(job: Job, *, rule: AnnotationConfig) -> tuple[str, npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    return job.name, job.classes, annotated(job, rule=rule)
