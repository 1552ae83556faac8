"""Refinement of score maps along the edges of the image: mean field of a dense CRF, or pixel-adaptive averages."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from underpaint.kernels.meanfield import CrfParameters, mean_fields
from underpaint.methods.tags.maps import Floats

Refiner = Literal["crf", "par"]
"""``crf``: mean field of a dense CRF (the paper). ``par``: pixel-adaptive refinement (AFA, Ru et al., CVPR 2022)."""

Pixels = npt.NDArray[np.uint8]

PSEUDO_LABELS = CrfParameters(3, 3, 80, 13, 10)
"""Dense CRF for class activation maps and pseudo-labels, as in PSA (Ahn and Kwak 2018), RRM, SC-CAM and AFA. Positions
are in pixels of the full-size image."""


def refine(scores: list[Floats], rgb: Pixels, *, refiner: Refiner, stride: int) -> list[Floats]:
    """Refine several score maps (K, h, w) of one image (h, w, 3); each result sums to 1 over K.

    The CRF takes the scores as probabilities that need not sum to one, as in the authors' code. All maps share one
    lattice. The standard deviations of the positions are divided by the stride.
    """
    if refiner == "crf":
        return [np.ascontiguousarray(q) for q in mean_fields(scores, rgb, _scaled(PSEUDO_LABELS, stride))]
    import torch

    from underpaint.kernels.adaptive import pixel_adaptive_refinement

    stacked = torch.from_numpy(np.concatenate(scores))[None]
    image = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 255
    refined = pixel_adaptive_refinement(stacked, image)[0].numpy()
    parts = np.split(refined, len(scores))
    return [part / np.maximum(part.sum(axis=0, keepdims=True), 1e-8) for part in parts]


def _scaled(parameters: CrfParameters, stride: int) -> CrfParameters:
    return replace(
        parameters, gaussian_xy=parameters.gaussian_xy / stride, bilateral_xy=parameters.bilateral_xy / stride
    )
