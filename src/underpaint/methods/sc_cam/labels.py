"""What SC-CAM learns from: sub-categories of each class (k-means), and labels for pairs of pixels (PSA)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from underpaint.core.config import Config
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.methods.inference import Inference
from underpaint.methods.stage import LabelMaker
from underpaint.methods.tags.maps import Flags, Floats, resized, scored
from underpaint.methods.tags.refine import refine

HALF = 2
"""Pixels a side of a pixel of the labels of affinities: cells of the walk are larger, and the CRF takes a quarter of
the time."""

Subtags = npt.NDArray[np.int8]

IMAGES_PER_CLUSTER = 5
"""Fewest images a cluster of a class, on average: fewer are no kind of thing but a few photographs."""


def capped(k: int, images: int) -> int:
    """Clusters of a class with so many images: at most k, and at most one for every five images."""
    return max(1, min(k, images // IMAGES_PER_CLUSTER))


def cluster(features: Floats, *, k: int, normalise: bool) -> npt.NDArray[np.int64]:
    """Cluster index (n,) of every row of (n, F) by k-means, the same on every call.

    Args:
        features: One image a row, 1 or more.
        k: Clusters, capped as `capped` says.
        normalise: Divide every row by its length first: else large features decide (the published code does not).
    """
    from sklearn.cluster import KMeans  # starts slowly

    count = capped(k, len(features))
    if count == 1:
        return np.zeros(len(features), np.int64)
    rows = features.astype(np.float64)
    if normalise:
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    found = KMeans(count, n_init=10, random_state=0, max_iter=300).fit_predict(rows)
    return np.asarray(found, dtype=np.int64)


def subcategories(
    features: Mapping[str, Floats],
    present: Mapping[str, Flags],
    allowed: Mapping[str, Flags],
    *,
    background: int | None,
    k: int,
    normalise: bool,
) -> dict[str, Subtags]:
    """Sub-tags (C, K) of every image: 1 for the cluster of each class that it shows, 0 for what it does not show.

    An image with several classes has the same vector in the clustering of each. -1, nothing known, stands for the
    background, for clusters that a class has not got, and for classes of which the image's tags say nothing.

    paper: Chang et al., CVPR 2020 (K = 10, features not normalised). Departure: K is capped on small data.

    Args:
        features: (F,) by image name.
        present: (C,) classes known to be in the image.
        allowed: (C,) classes that may be in the image.
        background: Index of the background class, or None.
        k: K.
        normalise: As in `cluster`.
    """
    names = sorted(features)
    classes = len(present[names[0]])
    made = {name: np.full((classes, k), -1, np.int8) for name in names}
    for label in range(classes):
        members = [name for name in names if present[name][label]]
        if label == background or not members:
            continue
        found = cluster(np.stack([features[name] for name in members]), k=k, normalise=normalise)
        used = int(found.max()) + 1
        for name in names:
            if present[name][label] or not allowed[name][label]:
                made[name][label, :used] = 0
        for name, index in zip(members, found, strict=True):
            made[name][label, index] = 1
    return made


def affinity_labels(objects: Floats, ground: Floats | None, classes: list[int], background: int | None) -> Mask:
    """Labels from which pairs are drawn: objects where few are trusted, background where it is trusted, else 255.

    paper: Ahn and Kwak, CVPR 2018 (PSA): classes of the CRF with a strong background, background of the one with a weak
    one.

    Args:
        objects: (K, h, w) refined scores with a strong background score, the background's first where there is one.
        ground: The same with a weak one; None without a background class.
        classes: The K class indices.
        background: Index of the background class, or None.
    """
    best: Mask = np.asarray(classes, dtype=np.uint8)[objects.argmax(axis=0)]
    if background is None or ground is None:
        return best
    labels = np.where(best == background, UNKNOWN, best)
    return np.where(ground.argmax(axis=0) == 0, background, labels).astype(np.uint8)


class ClusterConfig(Config):
    """Settings of the clustering.

    Attributes:
        subclasses: K, sub-categories of every class; fewer where a class has under 5 K images (ours).
        normalise: Cluster features of length 1 (ours; the authors' have any length).
    """

    subclasses: int = Field(default=10, ge=1, le=1000)
    normalise: bool = False


class Clusters(LabelMaker[ClusterConfig]):
    """Sub-categories of each class, from the pooled features of the images that show it."""

    def make(self, infer: Inference) -> None:
        """One pass over the images with the last classifier."""
        features, present, allowed = {}, {}, {}
        for image in infer.images():
            features[image.name] = infer.pooled(image)
            present[image.name], allowed[image.name] = image.present, image.allowed
        config, background = self.config, self.classes.background
        made = subcategories(
            features, present, allowed, background=background, k=config.subclasses, normalise=config.normalise
        )
        for name, subtags in made.items():
            infer.write_subtags(name, subtags)


class PairConfig(Config):
    """Settings of the labels from which pairs are drawn.

    Attributes:
        scales: Scales of the training images at which the last classifier's maps are averaged. The papers also mirror
            each, which doubles the time.
        foreground_alpha: Power of the background score where objects are trusted.
        background_alpha: The same where background is trusted.
    """

    scales: tuple[float, ...] = Field(default=(0.5, 1.0, 1.5, 2.0), min_length=1)
    foreground_alpha: float = Field(default=4.0, gt=0)
    background_alpha: float = Field(default=32.0, gt=0)


class PairLabels(LabelMaker[PairConfig]):
    """Labels of pixels whose class is certain. The training of affinities draws its pairs from them."""

    def make(self, infer: Inference) -> None:
        """One pass over the images with the last classifier; the CRF runs on all cores."""
        for name, labels in infer.each(partial(_paired, config=self.config), self._seen(infer)):
            infer.write_labels(name, labels)

    def _seen(self, infer: Inference) -> Iterator[_Seen]:
        """Images with the classifier's response maps, which are kept: the network of affinities has none."""
        for image in infer.images():
            responses = infer.responses(image, scales=self.config.scales, flip=False)
            path = kept_responses(infer.folder, image.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, responses.astype(np.float16), allow_pickle=False)
            yield _Seen(image.name, image.picture, responses, image.present, self.classes.background)


@dataclass(frozen=True)
class _Seen:
    """One training image, and what the last classifier sees in it."""

    name: str
    rgb: npt.NDArray[np.uint8]
    responses: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    background: int | None


def kept_responses(folder: Path, name: str) -> Path:
    """Where `PairLabels` keeps the response maps of an image, in 16 bits."""
    return folder / "responses" / f"{name}.npy"


def _paired(seen: _Seen, *, config: PairConfig) -> tuple[str, Mask]:
    """Labels from which the affinity training draws its pairs, at half the size of the image."""
    size = (-(-seen.rgb.shape[0] // HALF), -(-seen.rgb.shape[1] // HALF))
    full = resized(seen.responses, size)
    alphas = (config.foreground_alpha, config.background_alpha)
    given = [scored(full, seen.present, background=seen.background, kind="power", level=alpha) for alpha in alphas]
    classes = given[0].classes.tolist()
    if not classes:
        return seen.name, np.full(size, UNKNOWN, np.uint8)
    if len(classes) == 1:  # no background, one class: nothing to tell it from
        return seen.name, np.full(size, classes[0], np.uint8)
    planes = resized(np.ascontiguousarray(seen.rgb.transpose(2, 0, 1), dtype=np.float32), size)
    small = np.ascontiguousarray(planes.transpose(1, 2, 0).round().astype(np.uint8))
    objects, ground = refine([each.values for each in given], small, refiner="crf", stride=HALF)
    return seen.name, affinity_labels(objects, ground, classes, seen.background)
