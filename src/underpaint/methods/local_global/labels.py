"""One photograph annotated by a network and a local model together, within what its hints allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from underpaint.hints.candidates import Candidates
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.methods.local_global.combine import Average, Probabilities, Regulariser, combine, regularise
from underpaint.methods.local_global.local_models import LocalModel, annotate


@dataclass(frozen=True)
class Rule:
    """How the two annotations become one; the settings of `local-global` of these names.

    Args:
        local: Local model.
        weight: Of the local annotation, 0 to 1.
        average: Kind of average.
        regulariser: What sharpens the average along the photograph's edges.
        other: Where the network gives all classes here together less than this, something else is shown; 0: never.
        confidence: Least averaged probability of a label.
    """

    local: LocalModel
    weight: float
    average: Average
    regulariser: Regulariser
    other: float
    confidence: float


@dataclass(frozen=True)
class Job:
    """One photograph and what is known of it.

    Args:
        name: Of the image.
        rgb: (H, W, 3) uint8.
        candidates: What the hints leave every pixel.
        classes: (K,) indices of the classes that its hints speak of, in order.
        present: (K,) bool, those of them that it shows for certain.
        network: (K, H, W) the network's probabilities of these; None where the rule leaves the network out.
        features: (F, h, w) of the network, for a local model that wants them.
    """

    name: str
    rgb: npt.NDArray[np.uint8]
    candidates: Candidates
    classes: npt.NDArray[np.intp]
    present: npt.NDArray[np.bool_]
    network: npt.NDArray[np.float32] | None
    features: npt.NDArray[np.float32] | None


def annotated(job: Job, *, rule: Rule) -> Probabilities:
    """(K, H, W) probabilities of the job's classes, all 0 where the pixel stays unknown.

    The network's part is cut down to every pixel's candidates: the tagged classes, and in a box its class or what lies
    behind. The local model takes part where every class has a hinted pixel; of a class that is only tagged or boxed it
    knows nothing. Hinted pixels are certain.

    Where nothing is found of a class that the image shows, what was found in its place is not believed: of all pixels
    that may have that class, those hinted alone keep their label. A network that has hardly learned a rare class would
    else unlearn it from every image that is tagged with it.
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
    local = annotate(job.rgb, shown, model=rule.local, deep=job.features) if weight > 0 else None
    if local is not None and network is not None and len(local) < len(network):  # nothing else was found to show
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
    """(K + 1, H, W) probabilities, the last of "something else", and the seeds with K where that is likely."""
    mass = network.sum(axis=0)
    shown = np.where((mass < least) & (seeds == UNKNOWN), len(network), seeds).astype(np.uint8)
    return np.concatenate([network, np.maximum(1 - mass, 0)[None]]), shown


def pooled(probabilities: Probabilities, stride: int) -> Probabilities:
    """Means over cells of stride x stride pixels; the last cells repeat the border."""
    _, height, width = probabilities.shape
    padded = np.pad(probabilities, ((0, 0), (0, -height % stride), (0, -width % stride)), mode="edge")
    cells = padded.reshape(len(padded), padded.shape[1] // stride, stride, padded.shape[2] // stride, stride)
    return np.asarray(cells.mean(axis=(2, 4)), dtype=np.float32)


def hard(classes: npt.NDArray[np.intp], probabilities: Probabilities) -> Mask:
    """(H, W) most probable class, 255 where all are 0."""
    labels = classes.astype(np.uint8)[probabilities.argmax(axis=0)]
    return np.where(probabilities.any(axis=0), labels, UNKNOWN).astype(np.uint8)
