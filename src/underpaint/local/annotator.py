"""A local annotator: fitted on the hints of one photograph, it labels every pixel of that photograph.

Part of Mayer, Timofte and Paul 2018 (arXiv 1808.01625). What their local model was is not public; the three here
are stand-ins of one kind: cheap, and drawing borders where this photograph has them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from underpaint.core.errors import DataError
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.local.classifier import fit_classifier
from underpaint.local.features import Features, Pixels, colour_and_place, principal, standardised, texture
from underpaint.local.mixture import fit_mixtures

LocalModel = Literal["colour", "deep", "mixture"]
"""``colour``: a small network on colour, place and texture. ``deep``: the same on the principal components of the
global network's features, colour and place. ``mixture``: a Gaussian mixture a class on colour and place."""

Probabilities = npt.NDArray[np.float32]


def annotate(rgb: Pixels, seeds: Mask, *, model: LocalModel, deep: Features | None, seed: int = 0) -> Probabilities:
    """Label a photograph from its own hints.

    Args:
        rgb: (H, W, 3) uint8.
        seeds: (H, W) class of the hinted pixels, 255 elsewhere.
        model: Which local model.
        deep: (F, h, w) features of the photograph from a network; needed by ``deep`` and by no other.
        seed: Of the model's first weights.

    Returns:
        (K, H, W) probabilities of the K hinted classes in the order of their numbers, summing to 1 over them.

    Raises:
        DataError: no hinted pixel, or ``deep`` without features.
    """
    classes, labels = np.unique(seeds[seeds != UNKNOWN], return_inverse=True)
    if len(classes) == 0:
        raise DataError(
            "a local model was asked for on a photograph without hints", accepted="one hinted pixel or more"
        )
    if len(classes) == 1:
        return np.ones((1, *seeds.shape), np.float32)
    if model == "deep" and deep is None:
        raise DataError("the local model 'deep' was asked for without features of a network")
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
