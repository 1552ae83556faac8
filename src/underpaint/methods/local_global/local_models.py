"""Local models: fitted on the hints of one image, they label every pixel of this image.

They are part of the method of Mayer, Timofte and Paul 2018 (arXiv 1808.01625). Their local model is not public; three
models replace it here. All are fitted quickly and follow the edges of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import uniform_filter
from skimage.color import rgb2lab

from underpaint.core.errors import DataError
from underpaint.features.bank import ImageFeatures
from underpaint.features.linear import PENALTY, fit_linear
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.methods.local_global.classifiers import drawn_pixels, fit_classifier, fit_mixtures
from underpaint.models.linear import LinearHead

LocalModel = Literal["colour", "quick", "mixture"]
"""``colour`` is a small network on colour, position and texture. ``quick`` is the linear model of the method quick,
fitted on this image alone. ``mixture`` is a Gaussian mixture for each class on colour and position."""

Probabilities = npt.NDArray[np.float32]
Features = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

ALONE = 10.0
"""Penalty on the weights of ``quick`` on one image, as a multiple of that on many images, because it has few pixels.
Chosen on labels of training images (docs/methods/local-global.md)."""


@dataclass(frozen=True)
class Frozen:
    """The features of one image from the pre-trained encoder.

    Args:
        image: The features.
        penalties: (F,) penalty on the weights of each feature, as `Bank.penalties`.
    """

    image: ImageFeatures
    penalties: npt.NDArray[np.float64]


def annotate(rgb: Pixels, seeds: Mask, *, model: LocalModel, frozen: Frozen | None, seed: int = 0) -> Probabilities:
    """Label an image with a model that is fitted on its own hints.

    Args:
        rgb: (H, W, 3) uint8.
        seeds: (H, W) class of the hinted pixels, 255 elsewhere.
        model: The local model.
        frozen: Features of the image; only the model ``quick`` needs them.
        seed: Seed of the initial weights of the model, and of the draw of pixels.

    Returns:
        (K, H, W) probabilities of the K hinted classes in the order of their numbers, summing to 1 over them.

    Raises:
        DataError: There is no hinted pixel, or the model ``quick`` gets no features.
    """
    classes, labels = np.unique(seeds[seeds != UNKNOWN], return_inverse=True)
    if len(classes) == 0:
        raise DataError("a local model needs hints, and the image has none", accepted="one hinted pixel or more")
    if len(classes) == 1:
        return np.ones((1, *seeds.shape), np.float32)
    if model == "quick":
        if frozen is None:
            raise DataError("the local model 'quick' needs features of the image")
        return _linear(frozen, seeds, labels, seed=seed)
    place = colour_and_place(rgb)
    features = standardised(place if model == "mixture" else np.concatenate([place, texture(rgb)]))
    rows = features.reshape(len(features), -1).T
    known = np.flatnonzero(seeds.ravel() != UNKNOWN)
    fit = fit_mixtures if model == "mixture" else fit_classifier
    predict = fit(rows[known], labels, seed=seed)
    return np.ascontiguousarray(predict(rows).T).reshape(len(classes), *seeds.shape)


def _linear(frozen: Frozen, seeds: Mask, labels: npt.NDArray[np.intp], *, seed: int) -> Probabilities:
    """Probabilities of the linear model on frozen features; ``labels`` are 0..K-1 of the hinted pixels in order."""
    drawn = drawn_pixels(labels, seed=seed)
    rows, columns = (places[drawn] for places in np.nonzero(seeds != UNKNOWN))
    sets = np.eye(int(labels.max()) + 1, dtype=bool)
    penalty = PENALTY * ALONE * frozen.penalties
    model = fit_linear(frozen.image.columns(rows, columns), sets, labels[drawn], penalty=penalty)
    head = LinearHead([len(level) for level in frozen.image.levels], len(sets))
    head.set_weights(torch.from_numpy(model.weight), torch.from_numpy(model.bias))
    scores = frozen.image.enlarged(frozen.image.scores(head), (seeds.shape[0], seeds.shape[1]))
    return np.asarray(scores.softmax(dim=0).numpy())


def colour_and_place(rgb: Pixels) -> Features:
    """(5, H, W) CIE Lab, and x and y in units of the longer side."""
    height, width = rgb.shape[:2]
    lab = np.moveaxis(rgb2lab(rgb), -1, 0)
    y, x = np.mgrid[:height, :width] / max(height, width)
    return np.concatenate([lab, x[None], y[None]]).astype(np.float32)


def texture(rgb: Pixels) -> Features:
    """(6, H, W) mean and standard deviation of CIE Lab over 3 x 3 pixels."""
    lab = np.moveaxis(rgb2lab(rgb), -1, 0)
    mean = uniform_filter(lab, size=(1, 3, 3), mode="nearest")
    square = uniform_filter(lab**2, size=(1, 3, 3), mode="nearest")
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0))]).astype(np.float32)


def standardised(features: Features) -> Features:
    """Features with mean 0 and standard deviation 1 over the pixels; constant features become 0."""
    mean = features.mean(axis=(1, 2), keepdims=True)
    spread = features.std(axis=(1, 2), keepdims=True)
    return np.asarray((features - mean) / np.where(spread > 1e-6, spread, 1), dtype=np.float32)
