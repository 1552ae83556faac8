"""A Gaussian mixture for every class of a photograph."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]

COMPONENTS = 5
"""Gaussians a class (GrabCut, Rother et al. 2004, uses five as well)."""

EACH = 20
"""Pixels that a Gaussian wants at least; classes with fewer hints get fewer Gaussians."""

RIDGE = 0.02
"""Added to the variances of standardised features, so that a stroke of one colour is no needle."""


def fit_mixtures(rows: Rows, labels: Labels, *, seed: int) -> Callable[[Rows], Rows]:
    """Fit on (P, D) features and (P,) labels 0..K-1; all classes are as probable beforehand.

    Returns:
        A function from (Q, D) features to (Q, K) probabilities.
    """
    mixtures = []
    for label in range(int(labels.max()) + 1):
        own = rows[labels == label].astype(np.float64)
        components = int(np.clip(len(own) // EACH, 1, COMPONENTS))
        if len(own) == 1:  # a covariance wants two
            own = np.repeat(own, 2, axis=0)
        mixture = GaussianMixture(components, reg_covar=RIDGE, random_state=seed, max_iter=50, init_params="k-means++")
        with warnings.catch_warnings():  # after 50 steps it is near enough; a photograph's mixture settles slowly
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixtures.append(mixture.fit(own))

    def predict(features: Rows) -> Rows:
        scores = np.stack([mixture.score_samples(features.astype(np.float64)) for mixture in mixtures], axis=1)
        return np.asarray(softmax(scores, axis=1), dtype=np.float32)

    return predict
