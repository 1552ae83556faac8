"""What a local model sees of a pixel: colour, place, texture, and what a network made of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter, zoom
from skimage.color import rgb2lab

Features = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

COMPONENTS = 32
"""Principal components kept of a network's features: with a hint on a few thousand pixels, more only fit noise."""


def colour_and_place(rgb: Pixels) -> Features:
    """(5, H, W): CIE Lab, and x and y in units of the longer side."""
    height, width = rgb.shape[:2]
    lab = np.moveaxis(rgb2lab(rgb), -1, 0)
    y, x = np.mgrid[:height, :width] / max(height, width)
    return np.concatenate([lab, x[None], y[None]]).astype(np.float32)


def texture(rgb: Pixels) -> Features:
    """(6, H, W): mean and standard deviation of CIE Lab over 3 x 3 pixels."""
    lab = np.moveaxis(rgb2lab(rgb), -1, 0)
    mean = uniform_filter(lab, size=(1, 3, 3), mode="nearest")
    square = uniform_filter(lab**2, size=(1, 3, 3), mode="nearest")
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0))]).astype(np.float32)


def principal(features: Features, size: tuple[int, int], *, components: int = COMPONENTS) -> Features:
    """(K, H, W): the principal components of (F, h, w) features of one image, brought to its size (bilinear)."""
    count, h, w = features.shape
    rows = features.reshape(count, -1).T.astype(np.float64)
    rows -= rows.mean(axis=0)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    kept = vectors[:, np.argsort(values)[::-1][: min(components, count)]]
    small = (rows @ kept).T.reshape(-1, h, w).astype(np.float32)
    grown = zoom(small, (1, size[0] / h, size[1] / w), order=1, mode="nearest", grid_mode=True)
    return np.asarray(grown, dtype=np.float32)


def standardised(features: Features) -> Features:
    """The same with mean 0 and standard deviation 1 over the pixels; what does not vary becomes 0."""
    mean = features.mean(axis=(1, 2), keepdims=True)
    spread = features.std(axis=(1, 2), keepdims=True)
    return np.asarray((features - mean) / np.where(spread > 1e-6, spread, 1), dtype=np.float32)
