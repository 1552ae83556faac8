"""A multinomial logistic regression on feature columns, fitted from sets of candidate classes.

The problem is convex if every row has one candidate. It is solved by L-BFGS on one thread, from a fixed start, so that
the same rows always give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from underpaint.core.errors import DataError, LearningError

Columns = npt.NDArray[np.floating]
"""(P, F) features of P pixels."""

Penalty = float | npt.NDArray[np.float64]

PENALTY = 1e-3
"""Weight of the squared norm of the standardised weights. It was chosen on MSRC-21 ``val`` and voc_animals ``dev`` from
values between 1e-5 and 1e-2 (docs/methods/quick.md)."""

STEPS = 40
"""Largest number of iterations of L-BFGS. From zeros the fit converges after about 60 to 90 iterations. On MSRC-21
``val`` 30, 50 and 100 iterations give the same 81.3 mIoU, and 100 take three times as long as 30."""

MANY = 16_000
"""Rows from which a fit without a start is first made on a part of them."""

PART = 8
"""A fit on one of `PART` rows of each class, of `STEPS` iterations, is the start of one of `FINAL` on all rows. With
40,000 rows they take 0.6 of the time of `STEPS` iterations on all rows, and give the same mIoU
(docs/methods/quick.md)."""

FINAL = 20
"""See `PART`."""

SHARE = 0.5
"""Part of the logarithm of each class's share of the rows that is added to its scores. The fit weighs all classes
alike, so that a rare class is found as often as a frequent one; then it also takes many pixels of the frequent ones. 0
leaves it so, and 1 undoes the weights. See docs/methods/quick.md for what was measured."""

IMPOSSIBLE = -1e4
"""Bias of a class that is no row's candidate. Its probability is then 0 in single precision."""


@dataclass(frozen=True)
class LinearModel:
    """Class scores ``weight @ f + bias`` of a feature column f.

    Args:
        weight: (C, F) float32.
        bias: (C,) float32; `IMPOSSIBLE` for classes that are no row's candidate.
    """

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def scores(self, columns: Columns) -> npt.NDArray[np.float32]:
        """(P, C) scores of (P, F) columns."""
        return columns.astype(np.float32) @ self.weight.T + self.bias


def fit_linear(
    columns: Columns,
    sets: npt.NDArray[np.bool_],
    chosen: npt.NDArray[np.intp],
    *,
    penalty: Penalty = PENALTY,
    share: float = 0.0,
    start: LinearModel | None = None,
    steps: int = STEPS,
) -> LinearModel:
    """Minimise ``sum_p w_p (-log sum_{c in S_p} softmax(z_p)_c) + sum_f penalty_f |V_f|^2``, with ``z = V x + b``.

    Here x are the columns after standardisation: each is shifted and divided by its mean and standard deviation over
    the rows. The returned model takes columns that are not standardised. The weights ``w_p`` sum to 1, and every class
    has the same share of them. A row with k candidates counts as 1/k of a row for each. Afterwards ``share * log(n_c)``
    is added to the bias of class c, where n_c is its number of rows relative to the most frequent class: logit
    adjustment (Menon et al., ICLR 2021, arXiv 2007.07314, section 4), by a part of the logarithm.

    Args:
        columns: (P, F) features, half or single precision.
        sets: (S, C) bool, candidate sets.
        chosen: (P,) index into ``sets`` for every row.
        penalty: Penalty on the squared weights, but not on the biases: one number for all features, or (F,) one for
            each.
        share: Part of the logarithm of the classes' shares in the scores; see `SHARE`.
        start: Model from which the fit starts, of the same ``share``; None starts from zeros.
        steps: Largest number of iterations.

    Raises:
        LearningError: There is no row, or all rows together have fewer than two classes.
        DataError: A row has no candidate.
    """
    _check(columns, sets, chosen)
    seen = np.asarray(sets[np.unique(chosen)].any(axis=0))
    mean, spread = _moments(columns)
    standard = columns.astype(np.float32)
    standard -= mean.astype(np.float32)
    standard /= spread.astype(np.float32)
    problem = _Problem(standard, sets[:, seen], chosen, penalty)
    shift = share * problem.log_shares()
    with threadpool_limits(limits=1):
        if start is not None:
            weight, bias = _standardised(start, seen, mean, spread)
            first = problem.start(weight, bias - shift)
        elif len(columns) < MANY:
            first = problem.zeros()
        else:
            part = problem.part(PART)
            first, steps = part.solve(part.zeros(), steps), FINAL
        found = problem.solve(first, steps)
    inner, bias = problem.unpack(found)
    weight = np.zeros((sets.shape[1], columns.shape[1]))
    weight[seen] = inner.T / spread
    biases = np.full(sets.shape[1], IMPOSSIBLE)
    biases[seen] = bias + shift - weight[seen] @ mean
    return LinearModel(weight.astype(np.float32), biases.astype(np.float32))


def _check(columns: Columns, sets: npt.NDArray[np.bool_], chosen: npt.NDArray[np.intp]) -> None:
    if len(columns) == 0:
        raise LearningError(
            "no pixel is left to learn from, so no model can be fitted",
            fix="mark pixels of two classes or more; a pixel that is marked with several classes teaches nothing",
        )
    held = sets[np.unique(chosen)]
    if not held.any(axis=1).all():
        raise DataError("a pixel has no candidate class", accepted="one candidate or more for every marked pixel")
    if held.any(axis=0).sum() < 2:
        raise LearningError(
            "the marks have only one class; a model needs at least two",
            fix="mark some pixels of a second class, for example of the background",
        )


def _moments(columns: Columns) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of every column; a constant column has the deviation 1."""
    mean = columns.mean(axis=0, dtype=np.float64)
    square = np.einsum("pf,pf->f", columns, columns, dtype=np.float64) / len(columns)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return mean, np.where(spread > 1e-6, spread, 1.0)


def _standardised(
    model: LinearModel, seen: npt.NDArray[np.bool_], mean: npt.NDArray[np.float64], spread: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    weight = model.weight[seen].astype(np.float64)
    bias = np.where(model.bias[seen] > IMPOSSIBLE / 2, model.bias[seen], 0.0) + weight @ mean
    return (weight * spread).T, bias


class _Problem:
    """The objective and its gradient as functions of (F + 1) x C numbers; the biases come last."""

    def __init__(
        self,
        columns: npt.NDArray[np.float32],
        sets: npt.NDArray[np.bool_],
        chosen: npt.NDArray[np.intp],
        penalty: Penalty,
    ) -> None:
        self.columns, self.penalty = columns, np.broadcast_to(penalty, columns.shape[1:])[:, None]
        self.sets, self.chosen = sets, chosen
        self.shape = (columns.shape[1] + 1, sets.shape[1])
        self.allowed = sets[chosen]
        # Most rows have one candidate, for which the sum over the candidates is the score itself.
        candidates = self.allowed.sum(axis=1)
        self.rows, self.first = np.arange(len(chosen)), self.allowed.argmax(axis=1)
        self.single, self.open = np.flatnonzero(candidates == 1), np.flatnonzero(candidates > 1)
        part = self.allowed / self.allowed.sum(axis=1, keepdims=True)
        self.counts = part.sum(axis=0)
        share = part / np.maximum(self.counts, 1e-12)
        self.weights = (share.sum(axis=1) / sets.shape[1]).astype(np.float32)

    def log_shares(self) -> npt.NDArray[np.float64]:
        """(C,) logarithms of the classes' numbers of rows, relative to the most frequent class."""
        return np.asarray(np.log(self.counts / self.counts.max()), np.float64)

    def part(self, share: int) -> _Problem:
        """The same problem on one of ``share`` rows of each class."""
        rows = np.sort(np.argsort(self.first, kind="stable")[::share])
        return _Problem(self.columns[rows], self.sets, self.chosen[rows], self.penalty[:, 0])

    def solve(self, first: npt.NDArray[np.float64], steps: int) -> npt.NDArray[np.float64]:
        """The numbers after at most ``steps`` iterations from ``first``."""
        options = {"maxiter": steps, "maxcor": 20}
        return np.asarray(minimize(self, first, jac=True, method="L-BFGS-B", options=options).x)

    def zeros(self) -> npt.NDArray[np.float64]:
        """The numbers from which a fit without a start begins: all 0."""
        return np.zeros(self.shape).ravel()

    def start(self, weight: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The numbers of (F, C) weights and (C,) biases."""
        return np.concatenate([weight, bias[None]]).ravel()

    def unpack(self, numbers: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(F, C) weights and (C,) biases."""
        table = numbers.reshape(self.shape)
        return table[:-1], table[-1]

    def __call__(self, numbers: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        """Value and gradient."""
        weight, bias = self.unpack(numbers)
        scores = self.columns @ weight.astype(np.float32) + bias.astype(np.float32)
        peak = scores.max(axis=1, keepdims=True)
        slope = np.exp(scores - peak)
        total = slope.sum(axis=1, keepdims=True)
        slope /= total
        log_all, log_set = (np.log(total) + peak)[:, 0], scores[self.rows, self.first]
        slope[self.single, self.first[self.single]] -= 1
        if len(self.open):
            inside = np.where(self.allowed[self.open], scores[self.open], -np.inf)
            log_set[self.open] = logsumexp(inside, axis=1)
            slope[self.open] -= np.exp(inside - log_set[self.open, None])
        loss = float(self.weights @ (log_all - log_set).astype(np.float64))
        slope *= self.weights[:, None]
        gradient = np.empty(self.shape)
        gradient[:-1] = (slope.T @ self.columns).T + 2 * self.penalty * weight  # faster than columns.T @ slope
        gradient[-1] = slope.sum(axis=0)
        return loss + float((self.penalty * np.square(weight)).sum()), gradient.ravel()
