"""Small classifiers of pixels: a network of one hidden layer, or a Gaussian mixture for every class."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import nn
from torch.nn import functional as F

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]
Predict = Callable[[Rows], Rows]

HIDDEN = 32
"""Units of the hidden layer. The paper only says that its local model is a network with one hidden layer. All constants
here are ours and were not tuned."""

STEPS = 200
"""Number of full-batch steps of Adam. They take a few tenths of a second on one core."""

RATE = 0.02
"""Learning rate of Adam on standardised features; it is high because there are few steps."""

DECAY = 1e-3
"""L2 penalty on the weights, but not on the biases."""

MOST_PIXELS = 4000
"""Largest number of pixels to fit on; if there are more, a random sample of them is used."""

GAUSSIANS = 5
"""Largest number of Gaussians for each class (five as in GrabCut, Rother et al. 2004)."""

PIXELS_PER_GAUSSIAN = 20
"""Number of hinted pixels needed for each Gaussian; classes with fewer hinted pixels get fewer Gaussians."""

RIDGE = 0.02
"""Added to the variances of standardised features, so that a stroke of one colour does not have zero variance."""


def drawn_pixels(labels: Labels, *, seed: int) -> npt.NDArray[np.intp]:
    """Positions of the pixels to fit on: all, or `MOST_PIXELS` random ones with one of every class at least."""
    if len(labels) <= MOST_PIXELS:
        return np.arange(len(labels))
    drawn = np.random.default_rng(seed).choice(len(labels), MOST_PIXELS, replace=False)
    return np.union1d(drawn, np.unique(labels, return_index=True)[1])


def fit_classifier(rows: Rows, labels: Labels, *, seed: int) -> Predict:
    """Fit on (P, D) standardised features and (P,) labels 0..K-1; every class has the same total weight.

    Returns:
        A function from (Q, D) features to (Q, K) probabilities.
    """
    count = int(labels.max()) + 1
    drawn = drawn_pixels(labels, seed=seed)
    rows, labels = rows[drawn], labels[drawn]
    x, y = torch.from_numpy(np.ascontiguousarray(rows)), torch.from_numpy(labels.astype(np.int64))
    weight = 1 / torch.bincount(y, minlength=count).clamp(min=1).float()
    draw = torch.Generator().manual_seed(seed)
    first_layer, second_layer = _layer(rows.shape[1], HIDDEN, draw), _layer(HIDDEN, count, draw)
    parameters = [*first_layer, *second_layer]
    optimiser = torch.optim.Adam(parameters, lr=RATE)
    with torch.enable_grad(), torch.inference_mode(False):
        for _ in range(STEPS):
            logits = F.linear(F.relu(F.linear(x, *first_layer)), *second_layer)
            penalty = DECAY / 2 * (first_layer[0].square().sum() + second_layer[0].square().sum())
            loss = F.cross_entropy(logits, y, weight=weight) + penalty
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            optimiser.step()

    def predict(features: Rows) -> Rows:
        with torch.no_grad():
            hidden = F.relu(F.linear(torch.from_numpy(np.ascontiguousarray(features)), *first_layer))
            return np.asarray(F.linear(hidden, *second_layer).softmax(dim=1).numpy())

    return predict


def _layer(inputs: int, outputs: int, draw: torch.Generator) -> tuple[nn.Parameter, nn.Parameter]:
    """He's initial weights and zero biases."""
    with torch.inference_mode(False):
        weight = torch.randn(outputs, inputs, generator=draw) * (2 / inputs) ** 0.5
        return nn.Parameter(weight), nn.Parameter(torch.zeros(outputs))


def fit_mixtures(rows: Rows, labels: Labels, *, seed: int) -> Predict:
    """Fit on (P, D) features and (P,) labels 0..K-1; all classes have the same prior probability.

    Returns:
        A function from (Q, D) features to (Q, K) probabilities.
    """
    mixtures = []
    for label in range(int(labels.max()) + 1):
        own = rows[labels == label].astype(np.float64)
        components = int(np.clip(len(own) // PIXELS_PER_GAUSSIAN, 1, GAUSSIANS))
        if len(own) == 1:  # a covariance needs two rows
            own = np.repeat(own, 2, axis=0)
        mixture = GaussianMixture(components, reg_covar=RIDGE, random_state=seed, max_iter=50, init_params="k-means++")
        with warnings.catch_warnings():  # 50 steps are enough, although the fit has not converged
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixtures.append(mixture.fit(own))

    def predict(features: Rows) -> Rows:
        scores = np.stack([mixture.score_samples(features.astype(np.float64)) for mixture in mixtures], axis=1)
        return np.asarray(softmax(scores, axis=1), dtype=np.float32)

    return predict
