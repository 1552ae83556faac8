"""The labels of SC-CAM: sub-categories of each class (k-means), and labels for pairs of pixels (PSA)."""

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
"""Side, in pixels of the image, of a pixel of the labels for pairs. The cells of the walk are larger, and the CRF takes
only a quarter of the time."""

Subtags = npt.NDArray[np.int8]

IMAGES_PER_CLUSTER = 5
"""Smallest mean number of images per cluster of a class. Smaller clusters are no sub-category, but only a few
images."""


def capped(k: int, images: int) -> int:
    """Number of clusters of a class with this many images: at most k, and at most one for every five images."""
    return max(1, min(k, images // IMAGES_PER_CLUSTER))


def cluster(features: Floats, *, k: int, normalise: bool) -> npt.NDArray[np.int64]:
    """Cluster index (n,) of every row of (n, F) by k-means, the same on every call.

    Args:
        features: (n, F) with one row per image and at least one row.
        k: Largest number of clusters; see `capped`.
        normalise: Whether every row is first divided by its length. Otherwise large features have more influence, as in
            the published code.
    """
    from sklearn.cluster import KMeans  # slow to import

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
    """Sub-tags (C, K) of every image: 1 for the cluster of each class in the image, 0 for all others.

    An image with several classes takes part in the clustering of each, with the same features. -1 means unknown: it is
    used for the background, for clusters that a class does not have, and for classes about which the tags of the image
    say nothing.

    paper: Chang et al., CVPR 2020 (K = 10, features not normalised). Departure: K is capped on small data.

    Args:
        features: (F,) features by image name.
        present: (C,) bool by image name, True for classes that are known to be in the image.
        allowed: (C,) bool by image name, True for classes that may be in the image.
        background: Index of the background class, or None.
        k: Number of sub-categories K.
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
    """Labels from which pairs are drawn: reliable object pixels, reliable background pixels, and 255 for all others.

    paper: Ahn and Kwak, CVPR 2018 (PSA): objects are taken from the CRF with a strong background score, and the
    background from the CRF with a weak background score.

    Args:
        objects: (K, h, w) refined scores with a strong background score. If there is a background class, it comes
            first.
        ground: The same with a weak background score; None without a background class.
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
        subclasses: Number K of sub-categories of every class. A class with fewer than 5 K images gets fewer; this limit
            is ours.
        normalise: Whether features are divided by their length before the clustering. This is ours; the authors do not
            divide.
    """

    subclasses: int = Field(default=10, ge=1, le=1000)
    normalise: bool = False


class Clusters(LabelMaker[ClusterConfig]):
    """Finds sub-categories of each class from the pooled features of the images that contain it."""

    def make(self, infer: Inference) -> None:
        """Make the sub-categories in one pass over the images with the last classifier."""
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
        scales: Scales of the training images over which the maps of the last classifier are averaged. The papers also
            mirror the images, which doubles the time.
        foreground_alpha: Exponent of the background score for the selection of object pixels.
        background_alpha: Exponent of the background score for the selection of background pixels.
    """

    scales: tuple[float, ...] = Field(default=(0.5, 1.0, 1.5, 2.0), min_length=1)
    foreground_alpha: float = Field(default=4.0, gt=0)
    background_alpha: float = Field(default=32.0, gt=0)


class PairLabels(LabelMaker[PairConfig]):
    """Labels the pixels whose class is reliable. The training of affinities draws its pairs from them."""

    def make(self, infer: Inference) -> None:
        """Make the labels in one pass over the images with the last classifier. The CRF runs on all cores."""
        for name, labels in infer.each(partial(_pair_labels, config=self.config), self._jobs(infer)):
            infer.write_labels(name, labels)

    def _jobs(self, infer: Inference) -> Iterator[_Job]:
        """The images with their response maps, which are stored, because the next network computes none."""
        for image in infer.images():
            responses = infer.responses(image, scales=self.config.scales, flip=False)
            path = responses_path(infer.folder, image.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, responses.astype(np.float16), allow_pickle=False)
            yield _Job(image.name, image.picture, responses, image.present, self.classes.background)


@dataclass(frozen=True)
class _Job:
    """One training image and its response maps from the last classifier."""

    name: str
    rgb: npt.NDArray[np.uint8]
    responses: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    background: int | None


def responses_path(folder: Path, name: str) -> Path:
    """The file in which `PairLabels` stores the response maps of an image, in 16 bits."""
    return folder / "responses" / f"{name}.npy"


def _pair_labels(job: _Job, *, config: PairConfig) -> tuple[str, Mask]:
    """Labels from which the affinity training draws its pairs, at half the size of the image."""
    size = (-(-job.rgb.shape[0] // HALF), -(-job.rgb.shape[1] // HALF))
    full = resized(job.responses, size)
    alphas = (config.foreground_alpha, config.background_alpha)
    given = [scored(full, job.present, background=job.background, kind="power", level=alpha) for alpha in alphas]
    classes = given[0].classes.tolist()
    if not classes:
        return job.name, np.full(size, UNKNOWN, np.uint8)
    if len(classes) == 1:  # without a background, one class labels everything
        return job.name, np.full(size, classes[0], np.uint8)
    planes = resized(np.ascontiguousarray(job.rgb.transpose(2, 0, 1), dtype=np.float32), size)
    small = np.ascontiguousarray(planes.transpose(1, 2, 0).round().astype(np.uint8))
    objects, ground = refine([each.values for each in given], small, refiner="crf", stride=HALF)
    return job.name, affinity_labels(objects, ground, classes, job.background)
