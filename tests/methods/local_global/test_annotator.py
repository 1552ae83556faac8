"""Local models: what they learn from one photograph's hints, and how two annotations become one."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from underpaint.core.errors import DataError
from underpaint.features.linear import PENALTY
from underpaint.methods.local_global.combine import LEAST, combine, regularise
from underpaint.methods.local_global.local_models import (
    ALONE,
    Frozen,
    LocalModel,
    annotate,
    colour_and_place,
    standardised,
    texture,
)
from underpaint.testing import ToyBank

SIZE = (24, 32)


def scene() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """A red half and a green half with noise; the truth; a stroke of class 7 in the red and of class 3 in the green."""
    rng = np.random.default_rng(0)
    truth = np.full(SIZE, 7, np.uint8)
    truth[:, 20:] = 3
    colours = np.where((truth == 7)[..., None], [180, 60, 50], [60, 150, 70])
    rgb = np.clip(colours + rng.normal(0, 15, (*SIZE, 3)), 0, 255).astype(np.uint8)
    seeds = np.full(SIZE, 255, np.uint8)
    seeds[10, 3:12], seeds[12, 24:30] = 7, 3
    return rgb, truth, seeds


def frozen(rgb: NDArray[np.uint8]) -> Frozen:
    """Nine features of colour for every pixel."""
    bank = ToyBank()
    return Frozen(bank.features(rgb), bank.penalties)


@pytest.mark.parametrize("model", get_args(LocalModel))
def test_two_colours_are_told_apart(model: LocalModel) -> None:
    rgb, truth, seeds = scene()
    found = annotate(rgb, seeds, model=model, frozen=frozen(rgb))
    assert found.shape == (2, *SIZE)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    labels = np.array([3, 7], np.uint8)[found.argmax(axis=0)]
    assert (labels == truth).mean() > 0.97
    again = annotate(rgb, seeds, model=model, frozen=frozen(rgb))
    assert np.array_equal(found, again)


def test_one_class_is_certain_and_none_is_refused() -> None:
    rgb, _, seeds = scene()
    alone = np.where(seeds == 7, seeds, 255).astype(np.uint8)
    assert (annotate(rgb, alone, model="colour", frozen=None) == 1).all()
    with pytest.raises(DataError, match="needs hints"):
        annotate(rgb, np.full(SIZE, 255, np.uint8), model="colour", frozen=None)
    with pytest.raises(DataError, match="needs features"):
        annotate(rgb, seeds, model="quick", frozen=None)


def test_single_pixels_are_enough_for_every_model() -> None:
    rgb, _, _ = scene()
    seeds = np.full(SIZE, 255, np.uint8)
    seeds[3, 3], seeds[20, 28], seeds[12, 2] = 0, 1, 2
    for model in get_args(LocalModel):
        found = annotate(rgb, seeds, model=model, frozen=frozen(rgb))
        assert np.isfinite(found).all()
        assert found.shape == (3, *SIZE)


def test_the_quick_model_of_an_image_is_a_logistic_regression_on_its_hinted_pixels() -> None:
    rgb, _, seeds = scene()
    features = frozen(rgb)
    found = annotate(rgb, seeds, model="quick", frozen=features)
    columns = features.image.levels[0].float().reshape(9, -1).T.numpy()
    known = seeds.ravel() != 255
    mean, spread = columns[known].mean(axis=0), columns[known].std(axis=0)
    rows = (columns - mean) / spread
    # scikit-learn's C weighs the sum over the rows; of two classes it has one weight, the difference of the two here.
    weight = 1 / (PENALTY * ALONE * known.sum())
    plain = LogisticRegression(C=weight, class_weight="balanced", tol=1e-8, max_iter=1000)
    plain.fit(rows[known], seeds.ravel()[known])
    np.testing.assert_allclose(found.reshape(2, -1).T, plain.predict_proba(rows), atol=0.002)


def test_features_are_those_of_a_plain_loop() -> None:
    rgb, _, _ = scene()
    place, rough = colour_and_place(rgb), texture(rgb)
    assert place[3, 5, 9] == pytest.approx(9 / 32)
    assert place[4, 5, 9] == pytest.approx(5 / 32)
    around = place[:3, 4:7, 8:11].reshape(3, -1).astype(np.float64)
    np.testing.assert_allclose(rough[:3, 5, 9], around.mean(axis=1), atol=1e-3)
    np.testing.assert_allclose(rough[3:, 5, 9], around.std(axis=1), atol=1e-2)
    flat = standardised(np.stack([place[0], np.full(SIZE, 4.0, np.float32)]))
    assert flat[0].mean() == pytest.approx(0, abs=1e-4)
    assert flat[0].std() == pytest.approx(1, abs=1e-3)
    assert (flat[1] == 0).all()


@given(weight=st.floats(0, 1), average=st.sampled_from(["arithmetic", "geometric"]), seed=st.integers(0, 50))
def test_the_average_is_that_of_the_formula(weight: float, average: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = (rng.dirichlet(np.ones(3), (4, 5)).transpose(2, 0, 1).astype(np.float32) for _ in range(2))
    seeds = np.full((4, 5), 255, np.uint8)
    seeds[0, 0], seeds[1, 1], seeds[3, 4] = 0, 1, 2
    found = combine(one, two, weight=weight, average=average, seeds=seeds)  # type: ignore[arg-type]
    for row, column, k in ((2, 2, 0), (2, 2, 1), (0, 3, 2)):
        p, q = one[:, row, column].astype(np.float64), two[:, row, column].astype(np.float64)
        if average == "arithmetic":
            mean = (1 - weight) * p + weight * q
        else:
            mean = np.maximum(p, LEAST) ** (1 - weight) * np.maximum(q, LEAST) ** weight
        assert found[k, row, column] == pytest.approx(mean[k] / mean.sum(), abs=1e-5)
    assert found[:, 0, 0].tolist() == [1, 0, 0]
    assert found[:, 3, 4].tolist() == [0, 0, 1]


def test_a_network_that_gives_the_hinted_classes_nothing_leaves_it_to_the_local_model() -> None:
    seeds = np.array([[0, 255, 1]], np.uint8)
    silent = np.zeros((2, 1, 3), np.float32)
    local = np.array([[[0.5, 0.9, 0.5]], [[0.5, 0.1, 0.5]]], np.float32)
    found = combine(silent, local, weight=0.5, average="arithmetic", seeds=seeds)
    np.testing.assert_allclose(found[:, 0, 1], [0.7, 0.3], atol=1e-6)


@pytest.mark.parametrize("kind", ["none", "crf", "par"])
def test_regularisers_keep_hints_and_follow_the_photograph(kind: str) -> None:
    rgb, truth, drawn = scene()
    seeds = np.select([drawn == 3, drawn == 7], [0, 1], 255).astype(np.uint8)
    rng = np.random.default_rng(1)
    clean = np.stack([(truth == 3), (truth == 7)]).astype(np.float32)
    noisy = np.clip(0.3 + 0.4 * clean + rng.normal(0, 0.2, clean.shape), 0.01, 1).astype(np.float32)
    mixed = combine(noisy, None, weight=0, average="arithmetic", seeds=seeds)
    found = regularise(mixed, rgb, kind, seeds=seeds)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-4)
    assert (found[1][seeds == 1] == 1).all()
    assert (found[0][seeds == 0] == 1).all()
    before, after = (np.array([3, 7])[m.argmax(axis=0)] == truth for m in (mixed, found))
    assert after.mean() > before.mean() or kind == "none"
