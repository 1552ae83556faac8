"""What SC-CAM learns from: sub-categories of each class (k-means), and labels for pairs of pixels (PSA)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.methods.tags.maps import Flags, Floats

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
