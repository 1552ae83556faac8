"""Local models: fitted on the hints of one image, they label every pixel of this image.

They are part of the method of Mayer, Timofte and Paul 2018 (arXiv 1808.01625). Their local model is not public; three
models replace it here. All are fitted quickly and follow the edges of the image.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter, zoom
from skimage.color import rgb2lab

from underpaint.core.errors import DataError
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.methods.local_global.classifiers import fit_classifier, fit_mixtures

LocalModel = Literal["colour", "deep", "mixture"]
"""``colour`` is a small network on colour, position and texture. ``deep`` is the same on colour, position and the
principal components of the features of the global network. ``mixture`` is a Gaussian mixture for each class on colour
and position."""

Probabilities = npt.NDArray[np.float32]
Features = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

COMPONENTS = 32
"""Number of principal components of the features. With a few thousand hinted pixels, more components fit noise."""


def annotate(rgb: Pixels, seeds: Mask, *, model: LocalModel, deep: Features | None, seed: int = 0) -> Probabilities:
    """Label an image with a model that is fitted on its own hints.

    Args:
        rgb: (H, W, 3) uint8.
        seeds: (H, W) class of the hinted pixels, 255 elsewhere.
        model: The local model.
        deep: (F, h, w) features of the image from a network; only the model ``deep`` needs them.
        seed: Seed of the initial weights of the model.

    Returns:
        (K, H, W) probabilities of the K hinted classes in the order of their numbers, summing to 1 over them.

    Raises:
        DataError: There is no hinted pixel, or the model ``deep`` gets no features.
    """
    classes, labels = np.unique(seeds[seeds != UNKNOWN], return_inverse=True)
    if len(classes) == 0:
        raise DataError("a local model needs hints, and the image has none", accepted="one hinted pixel or more")
    if len(classes) == 1:
        return np.ones((1, *seeds.shape), np.float32)
    if model == "deep" and deep is None:
        raise DataError("the local model 'deep' needs features of a network")
    features = standardised(_features(rgb, model, deep))
    rows = features.reshape(len(features), -1).T
    known = np.flatnonzero(seeds.ravel() != UNKNOWN)
    fit = fit_mixtures if model == "mixture" else fit_classifier
    predict = fit(rows[known], labels, seed=seed)
    return np.ascontiguousarray(predict(rows).T).reshape(len(classes), *seeds.shape)


def _features(rgb: Pixels, model: LocalModel, deep: Features | None) -> Features:
    place = colour_and_place(rgb)
    if model == "mixture":
        return place
    if deep is None or model == "colour":
        return np.concatenate([place, texture(rgb)])
    return np.concatenate([place, principal(deep, (rgb.shape[0], rgb.shape[1]))])


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


def principal(features: Features, size: tuple[int, int], *, components: int = COMPONENTS) -> Features:
    """(K, H, W) principal components of the (F, h, w) features of one image, resized to the image (bilinear)."""
    count, h, w = features.shape
    rows = features.reshape(count, -1).T.astype(np.float64)
    rows -= rows.mean(axis=0)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    kept = vectors[:, np.argsort(values)[::-1][: min(components, count)]]
    small = (rows @ kept).T.reshape(-1, h, w).astype(np.float32)
    grown = zoom(small, (1, size[0] / h, size[1] / w), order=1, mode="nearest", grid_mode=True)
    return np.asarray(grown, dtype=np.float32)


def standardised(features: Features) -> Features:
    """Features with mean 0 and standard deviation 1 over the pixels; constant features become 0."""
    mean = features.mean(axis=(1, 2), keepdims=True)
    spread = features.std(axis=(1, 2), keepdims=True)
    return np.asarray((features - mean) / np.where(spread > 1e-6, spread, 1), dtype=np.float32)
