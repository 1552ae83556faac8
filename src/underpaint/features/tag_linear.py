"""A linear classifier of tags on pooled features: one logistic regression for each class, fitted until it converges.

The problem is strictly convex, so that it has exactly one solution. There is no bias. A bias would learn how rare a
class is, and the weights would not have to: the response maps of rare classes would then spread over other classes
(`person` on voc_animals: 22 instead of 30 IoU, docs/tags.md).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from underpaint.core.errors import DataError, RunError

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

PENALTY = 0.3
"""Weight of the squared norm of the weights, for features whose root mean square is 1. It is strong, because a few
hundred images determine a thousand numbers per class. Of 0.15, 0.3, 0.75, 2.3 and 6, the values 0.3 and 0.75 give the
best labels on voc_animals (docs/tags.md)."""

STEPS = 1000
"""Largest number of iterations of L-BFGS. With the penalty above it converges within 100."""


def fit_tags(features: Floats, present: Flags, known: Flags, *, penalty: float = PENALTY) -> Floats:
    """(C, F) weights W that minimise ``sum_c mean_n(log(1 + e^-s z)) + penalty r^2 |W|^2`` with ``z = W x``.

    The sign s is 1 if image n shows class c, and -1 if not. The mean is over the rows for which this is known. r is the
    root mean square of all features, so that the scale of the features does not matter. A class that is present in all
    known rows, in none of them, or known in no row, gets the weights 0, because nothing can be learned about it.

    Args:
        features: (N, F), each row the pooled features of an image or of a window of it.
        present: (N, C), True for classes that the image shows.
        known: (N, C), True for classes of which it is known whether the image shows them.
        penalty: As `PENALTY`.

    Raises:
        DataError: No class is known to be in one image and known not to be in another.
        RunError: The features are not finite, or the penalty is so small that the fit does not converge.
    """
    shown, hidden = (present & known).any(axis=0), (~present & known).any(axis=0)
    learned = np.flatnonzero(shown & hidden)
    if len(learned) == 0:
        raise DataError(
            "nothing can be learned from the tags: no class is in some images and known to be absent from others",
            fix="tag images with different classes, and also say which classes an image does not show",
        )
    level = float(np.sqrt(np.mean(np.square(features, dtype=np.float64))))
    if not np.isfinite(level):
        raise RunError(
            "an image has features that are not finite", fix="check the weights of the encoder (model.weights)"
        )
    rows = (features / max(level, 1e-12)).astype(np.float32)
    signs = np.where(present[:, learned], 1.0, -1.0)
    shares = known[:, learned] / known[:, learned].sum(axis=0)

    def problem(numbers: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = numbers.reshape(len(learned), -1)
        margins = signs * (rows @ weights.T.astype(np.float32))
        loss = float(np.sum(shares * np.logaddexp(0, -margins)) + penalty * np.sum(np.square(weights)))
        slope = -shares * signs / (1 + np.exp(np.minimum(margins, 80)))
        gradient = slope.T.astype(np.float32) @ rows + 2 * penalty * weights
        return loss, gradient.ravel()

    with threadpool_limits(limits=1):
        start = np.zeros(len(learned) * rows.shape[1])
        found = minimize(problem, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "maxcor": 20})
    if found.nit >= STEPS:
        raise RunError(f"the classifier of tags did not converge within {STEPS} steps", fix="raise the penalty")
    weights = np.zeros((present.shape[1], rows.shape[1]), np.float32)
    weights[learned] = found.x.reshape(len(learned), -1) / max(level, 1e-12)
    return weights


def windows(cells: Floats) -> Floats:
    """(5, F) means of (F, h, w) features: over all cells, and over four windows of three quarters of each side.

    The features of a window come from the encoder's pass over the whole image, so that the windows need no further
    pass. They improve the labels by 1 mIoU.
    """
    height, width = cells.shape[1:]
    tall, wide = (max(1, (3 * side + 2) // 4) for side in (height, width))
    corners = [(top, left) for top in (0, height - tall) for left in (0, width - wide)]
    parts = [cells, *(cells[:, top : top + tall, left : left + wide] for top, left in corners)]
    return np.stack([part.mean(axis=(1, 2)) for part in parts])
