"""Averages two annotations of an image and sharpens the result along the edges of the image."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.kernels.meanfield import CrfParameters, mean_field

Average = Literal["arithmetic", "geometric"]
Regulariser = Literal["none", "crf", "par"]
"""``crf``: mean field of a dense CRF with narrow kernels (`AVERAGED_LABELS`). ``par``: pixel-adaptive refinement (AFA,
Ru et al., CVPR 2022)."""

Probabilities = npt.NDArray[np.float32]

AVERAGED_LABELS = CrfParameters(3, 3, 30, 8, 3, iterations=5)
"""Dense CRF for the average of two annotations. The average already follows the edges of the image, and the wider
kernels that are usual for pseudo-labels would remove thin objects. These values are ours; they were chosen on the
annotations of 52 training images of MSRC-21 (benchmarks/annotations.py)."""

LEAST = 1e-4
"""Smallest probability in a geometric mean, so that one of the two models alone cannot exclude a class."""


def combine(
    network: Probabilities | None, local: Probabilities | None, *, weight: float, average: Average, seeds: Mask
) -> Probabilities:
    """The average of two annotations over K classes, with the hinted pixels set to their class.

    Args:
        network: (K, H, W) probabilities, any scale; None with a weight of 1.
        local: (K, H, W) probabilities; None with a weight of 0.
        weight: Weight of the local prediction, 0 to 1.
        average: Arithmetic ``(1 - w) p + w q`` or geometric ``p^(1 - w) q^w``, normalised.
        seeds: (H, W) number 0..K-1 of the class of each hinted pixel, 255 elsewhere.

    Returns:
        (K, H, W), summing to 1 over the classes.
    """
    shares = [(part, share) for part, share in ((network, 1 - weight), (local, weight)) if part is not None and share]
    if average == "arithmetic":
        mean = sum(share * _normalised(part) for part, share in shares)
    else:
        mean = np.exp(sum(share * np.log(np.maximum(_normalised(part), LEAST)) for part, share in shares))
    return clamp(_normalised(np.asarray(mean, dtype=np.float32)), seeds)


def _normalised(probabilities: Probabilities) -> Probabilities:
    """Probabilities that sum to 1 over the classes; uniform where all of them are 0."""
    total = probabilities.sum(axis=0, keepdims=True)
    return np.where(total > 1e-8, probabilities / np.maximum(total, 1e-8), np.float32(1 / len(probabilities)))


def clamp(probabilities: Probabilities, seeds: Mask) -> Probabilities:
    """A copy in which hinted pixels have their class with probability 1; ``seeds`` as in `combine`."""
    clamped = probabilities.copy()
    known = seeds != UNKNOWN
    clamped[:, known] = np.eye(len(clamped), dtype=np.float32)[:, seeds[known]]
    return clamped


def regularise(
    probabilities: Probabilities, rgb: npt.NDArray[np.uint8], kind: Regulariser, *, seeds: Mask
) -> Probabilities:
    """(K, H, W) probabilities after the regulariser; hinted pixels keep their class."""
    if kind == "none" or len(probabilities) == 1:
        return probabilities
    if kind == "crf":
        return clamp(np.asarray(mean_field(probabilities, rgb, AVERAGED_LABELS)), seeds)
    import torch

    from underpaint.kernels.adaptive import pixel_adaptive_refinement

    image = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 255
    refined = pixel_adaptive_refinement(torch.from_numpy(probabilities)[None], image)[0].numpy()
    return clamp(_normalised(np.maximum(refined, 0)), seeds)
