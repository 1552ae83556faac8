"""The linear model against scikit-learn, a closed form, finite differences, and its own promises."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression

from underpaint.core.errors import DataError, LearningError, UnderpaintError
from underpaint.features import linear
from underpaint.features.linear import IMPOSSIBLE, _Problem, fit_linear

Singles = npt.NDArray[np.bool_]


def blobs(seed: int = 0, *, rows: int = 240, features: int = 6, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    columns = rng.normal(size=(rows, features)) * 2 + rng.normal(size=(classes, features))[labels] * 3 + 5
    return columns.astype(np.float32), labels


@pytest.mark.parametrize("dearer", [np.ones(6), np.array([1.0, 1.0, 4.0, 1.0, 4.0, 9.0])])
def test_the_fit_is_that_of_scikit_learn(dearer: np.ndarray) -> None:
    columns, labels = blobs()
    penalty = 1e-2
    model = fit_linear(columns, np.eye(3, dtype=bool), labels, penalty=penalty * dearer, steps=1000)
    # A weight that costs k times as much is that of a feature which is sqrt(k) times smaller.
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0) / np.sqrt(dearer)
    # Its objective is C * sum of losses + |w|^2 / 2: ours times rows * C, with 2 * penalty * rows * C = 1.
    peer = LogisticRegression(C=1 / (2 * penalty * len(columns)), tol=1e-8, max_iter=5000).fit(standard, labels)
    found = np.exp(model.scores(columns))
    found /= found.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, peer.predict_proba(standard), atol=2e-3)


def test_every_class_weighs_the_same() -> None:
    columns, labels = blobs(rows=300, classes=2)
    rare = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:10]])
    often = np.concatenate([np.flatnonzero(labels == 0), np.repeat(np.flatnonzero(labels == 1)[:10], 7)])
    sets = np.eye(2, dtype=bool)
    # Standardised alike, so that the penalty is the same for both.
    problems = [_Problem(columns, sets, labels[rows], 1e-3) for rows in (rare, often)]
    weights = [problem.weights[labels[rows] == 1].sum() for problem, rows in zip(problems, (rare, often), strict=True)]
    assert weights == pytest.approx([0.5, 0.5])


def test_the_gradient_is_that_of_finite_differences() -> None:
    rng = np.random.default_rng(1)
    sets = np.array([[True, False, False], [True, True, False], [False, True, True]])
    problem = _Problem(rng.normal(size=(9, 2)).astype(np.float32), sets, np.arange(9) % 3, 1e-2)
    at = rng.normal(size=9)
    step = 1e-2  # the scores are single precision
    steps = np.eye(9) * step
    slopes = [(problem(at + d)[0] - problem(at - d)[0]) / (2 * step) for d in steps]
    np.testing.assert_allclose(problem(at)[1], slopes, atol=1e-3)


def test_the_value_of_candidate_sets_is_the_plain_loop() -> None:
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(5, 2)).astype(np.float32)
    sets, chosen = np.array([[True, False], [True, True]]), np.array([0, 1, 0, 1, 0])
    problem = _Problem(columns, sets, chosen, 0.5)
    numbers = rng.normal(size=(3, 2))
    total = 0.5 * (numbers[:2] ** 2).sum()
    for row, number, weight in zip(columns, chosen, problem.weights, strict=True):
        scores = np.exp(row @ numbers[:2] + numbers[2])
        total -= weight * np.log(scores[sets[number]].sum() / scores.sum())
    assert problem(numbers.ravel())[0] == pytest.approx(total, rel=1e-5)


def test_the_same_rows_give_the_same_bytes_on_any_number_of_threads() -> None:
    from threadpoolctl import threadpool_limits

    columns, labels = blobs(3, rows=2000, features=64)
    made = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            made.append(fit_linear(columns.astype(np.float16), np.eye(3, dtype=bool), labels))
    assert made[0].weight.tobytes() == made[1].weight.tobytes()
    assert made[0].bias.tobytes() == made[1].bias.tobytes()


def test_a_warm_start_ends_at_the_same_optimum_sooner() -> None:
    columns, labels = blobs(4)
    sets = np.eye(3, dtype=bool)
    first = fit_linear(columns, sets, labels, steps=1000)
    again = fit_linear(columns, sets, labels, start=first, steps=3)
    np.testing.assert_allclose(again.scores(columns), first.scores(columns), atol=0.05)


@pytest.mark.parametrize("boxes", [False, True])
def test_a_part_of_the_logarithm_of_the_shares_is_added(boxes: bool) -> None:
    columns, labels = blobs(7, rows=90, classes=3)
    labels = np.repeat([0, 1, 3], [50, 30, 10])  # of four classes, of which one has no row
    sets = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0]], bool)
    counts = np.array([50.0, 30.0, 10.0])
    if boxes:  # ten rows may have the first or the second class, and count half for each
        labels[:10] = 4
        counts = np.array([45.0, 35.0, 10.0])
    alike = fit_linear(columns, sets, labels)
    model = fit_linear(columns, sets, labels, share=0.4)
    np.testing.assert_array_equal(model.weight, alike.weight)
    expected = [0.4 * np.log(count / counts.max()) for count in counts]
    np.testing.assert_allclose((model.bias - alike.bias)[[0, 1, 3]], expected, atol=1e-5)
    assert model.bias[2] == IMPOSSIBLE
    again = fit_linear(columns, sets, labels, share=0.4, start=model, steps=0)
    np.testing.assert_allclose(again.bias, model.bias, atol=5e-3)  # scipy makes one iteration, however few are asked


def test_a_class_that_no_row_may_have_is_never_predicted() -> None:
    columns, labels = blobs(5, classes=2)
    model = fit_linear(columns, np.array([[True, False, False], [False, False, True]]), labels)
    assert model.bias[1] == IMPOSSIBLE
    assert set(model.scores(columns).argmax(axis=1)) == {0, 2}


def test_a_constant_feature_has_no_say() -> None:
    columns, labels = blobs(6)
    model = fit_linear(
        np.concatenate([columns, np.full((len(columns), 1), 7, np.float32)], axis=1), np.eye(3, dtype=bool), labels
    )
    assert np.abs(model.weight[:, -1]).max() < 1e-6


@pytest.mark.parametrize(
    ("sets", "chosen", "error", "words"),
    [
        (np.eye(2, dtype=bool), np.empty(0, int), LearningError, "no model can be fitted"),
        (np.eye(2, dtype=bool), np.zeros(4, int), LearningError, "only one class"),
        (np.array([[True, False], [False, False]]), np.array([0, 1, 0, 1]), DataError, "no candidate"),
    ],
)
def test_what_cannot_be_fitted_is_said(
    sets: Singles, chosen: np.ndarray, error: type[UnderpaintError], words: str
) -> None:
    with pytest.raises(error, match=words):
        fit_linear(np.ones((len(chosen), 3), np.float32), sets, chosen)


def test_a_fit_that_starts_on_a_part_of_the_rows_ends_where_the_other_does(monkeypatch: pytest.MonkeyPatch) -> None:
    columns, labels = blobs(rows=4000, features=12, classes=4)
    labels = np.where(np.arange(4000) < 3990, labels, 4)  # the part has two rows of a rare class
    sets = np.eye(5, dtype=bool)
    whole = fit_linear(columns, sets, labels, penalty=1e-2, steps=500)
    monkeypatch.setattr(linear, "MANY", 1000)
    monkeypatch.setattr(linear, "FINAL", 50)
    started = fit_linear(columns, sets, labels, penalty=1e-2)
    np.testing.assert_allclose(started.scores(columns), whole.scores(columns), atol=0.02)


def test_a_part_has_one_of_so_many_rows_of_each_class() -> None:
    columns, labels = blobs(rows=100, classes=3)
    labels = np.where(np.arange(100) == 57, 3, labels)
    part = _Problem(columns, np.eye(4, dtype=bool), labels, 1e-3).part(8)
    counts = np.bincount(part.chosen, minlength=4)
    assert counts.sum() == 13
    assert (np.abs(counts[:3] - np.bincount(labels)[:3] / 8) <= 1).all()
