"""The linear classifier of tags against an independent solver, and what it must hold whatever it is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from underpaint.core.errors import DataError, RunError
from underpaint.features.tag_linear import fit_tags, windows


def drawn(seed: int, *, rows: int = 60, width: int = 12, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = np.abs(rng.normal(size=(rows, width))).astype(np.float32)
    present = features @ rng.normal(size=(width, classes)) > 0
    present[:2] = [[True] * classes, [False] * classes]
    return features, present


@pytest.mark.parametrize("penalty", [0.02, 0.75])
def test_it_finds_the_minimum_that_another_solver_finds(penalty: float) -> None:
    features, present = drawn(1)
    known = np.ones_like(present)
    known[::3, 0] = False
    level = np.sqrt(np.mean(features.astype(float) ** 2))
    found = fit_tags(features, present, known, penalty=penalty)
    for label in range(3):
        rows = known[:, label]
        # sklearn minimises C * sum of losses + |w|^2 / 2
        weight = 1 / (2 * penalty * rows.sum())
        solver = LogisticRegression(C=weight, fit_intercept=False, tol=1e-9, max_iter=2000)
        solver.fit(features[rows].astype(float) / level, present[rows, label])
        np.testing.assert_allclose(found[label] * level, solver.coef_[0], atol=2e-3)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), scale=st.sampled_from([0.01, 3.0, 100.0]))
def test_the_scale_of_the_features_and_the_order_of_the_rows_do_not_matter(seed: int, scale: float) -> None:
    features, present = drawn(seed)
    known = np.ones_like(present)
    found = fit_tags(features, present, known)
    order = np.random.default_rng(seed).permutation(len(features))
    again = fit_tags(features[order] * np.float32(scale), present[order], known)
    np.testing.assert_allclose(features @ found.T, (features * np.float32(scale)) @ again.T, atol=2e-3)


def test_a_class_that_can_be_told_from_nothing_has_no_weights() -> None:
    features, present = drawn(2)
    known = np.ones_like(present)
    present[:, 0] = True
    known[:, 2] = False
    found = fit_tags(features, present, known)
    assert (found[[0, 2]] == 0).all()
    assert np.abs(found[1]).max() > 0
    with pytest.raises(DataError, match="nothing can be learned from the tags"):
        fit_tags(features, np.ones_like(present), np.ones_like(known))


def test_features_that_are_not_finite_are_refused() -> None:
    features, present = drawn(3)
    features[4, 4] = np.inf
    with pytest.raises(RunError, match="not finite"):
        fit_tags(features, present, np.ones_like(present))


def test_windows_are_means_over_the_whole_and_its_corners() -> None:
    cells = np.arange(2 * 4 * 8, dtype=np.float32).reshape(2, 4, 8)
    found = windows(cells)
    assert found.shape == (5, 2)
    np.testing.assert_allclose(found[0], cells.mean(axis=(1, 2)))
    np.testing.assert_allclose(found[1], cells[:, :3, :6].mean(axis=(1, 2)))
    np.testing.assert_allclose(found[4], cells[:, 1:, 2:].mean(axis=(1, 2)))
    assert windows(cells[:, :1, :1]).shape == (5, 2)
