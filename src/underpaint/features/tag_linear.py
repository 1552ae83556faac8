"""A linear classifier of tags on pooled features: one logistic regression a class, fitted to convergence.

The problem is strictly convex, so that it has one solution, and a fit cannot stop early as a training by steps can.
There is no bias: with one, a class's usual absence would be taken out of the weights, and the response maps of rare
classes would spread over what is not theirs (`person` on voc_animals: 22 against 30 IoU, docs/tags.md).
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
"""Weight of the squared norm of the weights, for features whose root mean square is 1. Strong: some hundred images
decide over a thousand numbers a class. Of 0.15, 0.3, 0.75, 2.3 and 6 the labels on voc_animals are best at 0.3 and 0.75
(docs/tags.md)."""

STEPS = 1000
"""Most iterations of L-BFGS. With the penalty above it converges within 100."""


def fit_tags(features: Floats, present: Flags, known: Flags, *, penalty: float = PENALTY) -> Floats:
    """(C, F) weights W that minimise ``sum_c mean_n(log(1 + e^-s z)) + penalty r^2 |W|^2`` with ``z = W x``.

    s is 1 where image n shows class c and -1 where it does not; the mean is over the rows of which that is known, and r
    is the root mean square of all features, so that the scale of an encoder's features does not matter. A class of
    which all known rows say the same, or that no row knows, has the weights 0: it can be told from nothing.

    Args:
        features: (N, F), one row a look at an image.
        present: (N, C), classes that the image shows.
        known: (N, C), classes of which it is known whether the image shows them.
        penalty: See above.

    Raises:
        DataError: no class is known to be in one image and known not to be in another.
        RunError: features that are not finite, or a penalty so small that the fit does not converge.
    """
    shown, hidden = (present & known).any(axis=0), (~present & known).any(axis=0)
    learned = np.flatnonzero(shown & hidden)
    if len(learned) == 0:
        raise DataError(
            "the tags tell no image from another: no class is in some images and known to be absent from others",
            fix="tag images that differ, and say also which classes an image does not show",
        )
    level = float(np.sqrt(np.mean(np.square(features, dtype=np.float64))))
    if not np.isfinite(level):
        raise RunError("features of some image are not finite", fix="check the weights of the encoder (model.weights)")
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
    """(5, F) means over the whole of (F, h, w) features and over four windows of three quarters of each side.

    What the encoder saw of a window includes its surroundings, which costs nothing more; the windows gain 1 mIoU
    of the labels.
    """
    height, width = cells.shape[1:]
    tall, wide = (max(1, (3 * side + 2) // 4) for side in (height, width))
    corners = [(top, left) for top in (0, height - tall) for left in (0, width - wide)]
    parts = [cells, *(cells[:, top : top + tall, left : left + wide] for top, left in corners)]
    return np.stack([part.mean(axis=(1, 2)) for part in parts])
