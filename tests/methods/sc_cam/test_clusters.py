"""Sub-categories: one a class and image, none beyond what the data can fill."""

from __future__ import annotations

import numpy as np

from underpaint.methods.sc_cam.labels import capped, cluster, subcategories


def test_the_cap_is_five_images_a_cluster() -> None:
    assert [capped(10, images) for images in (1, 4, 5, 9, 10, 49, 50, 500)] == [1, 1, 1, 1, 2, 9, 10, 10]


def test_clusters_are_found_and_stay_the_same() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(m, 0.1, (8, 3)) for m in (0, 5)]).astype(np.float32)
    found = cluster(features, k=2, normalise=False)
    assert len(set(found[:8])) == len(set(found[8:])) == 1
    assert found[0] != found[-1]
    assert np.array_equal(found, cluster(features, k=2, normalise=False))


def test_length_counts_unless_it_is_normalised() -> None:
    direction = np.array([[1, 0], [0, 1]], np.float32)
    features = np.concatenate([direction[0] * s for s in ([[1]], [[100]])] * 5 + [direction[1] * [[1]]] * 10)
    features = features.astype(np.float32)
    split = cluster(features, k=2, normalise=False)
    assert split[0] != split[1], "the long vectors are a cluster of their own"
    turned = cluster(features, k=2, normalise=True)
    assert turned[0] == turned[1] != turned[-1]


def test_every_image_has_exactly_one_cluster_of_each_class_it_shows() -> None:
    rng = np.random.default_rng(1)
    names = [f"i{n:02d}" for n in range(30)]
    present = {name: np.array([True, n % 2 == 0, n % 3 == 0]) for n, name in enumerate(names)}
    allowed = {name: present[name] | np.array([True, n > 20, False]) for n, name in enumerate(names)}
    features = {name: rng.normal(size=4).astype(np.float32) for name in names}
    made = subcategories(features, present, allowed, background=0, k=10, normalise=False)
    for name in names:
        subtags = made[name]
        assert subtags.shape == (3, 10)
        assert (subtags[0] == -1).all(), "the background is no tag"
        assert (subtags[1, 3:] == -1).all(), "15 images are three clusters"
        for label in (1, 2):
            assert int((subtags[label] == 1).sum()) == int(present[name][label])
            if not present[name][label]:
                assert set(subtags[label].tolist()) <= ({-1} if allowed[name][label] else {0, -1})


def test_one_cluster_is_the_class_itself() -> None:
    features = {name: np.ones(2, np.float32) * i for i, name in enumerate("abc")}
    present = {"a": np.array([True, False]), "b": np.array([True, True]), "c": np.array([False, True])}
    made = subcategories(features, present, present, background=None, k=1, normalise=False)
    for name, tags in present.items():
        assert (made[name][:, 0] == tags).all()
