"""The dense CRF loss: all pixels that are alike in colour should agree, the nearer the more."""

from __future__ import annotations

from torch import Tensor

from underpaint.kernels.bilateral.energy import dense_energy
from underpaint.losses.grid import shrink_image


def dense_crf_loss(probabilities: Tensor, rgb: Tensor, valid: Tensor, *, sigma_xy: float, sigma_rgb: float) -> Tensor:
    """Dense CRF loss (Tang et al., ECCV 2018, eq. 5): the Potts energy of a fully connected Gaussian CRF, relaxed.

    ``-(1/P) sum_k S_k' W S_k`` with W the bilateral affinity over all pairs, including each pixel with itself, filtered
    on the permutohedral lattice, and P the number of valid pixels. It differs from ``sum_k S_k' W (1 - S_k)`` by a
    term that does not depend on the prediction's sharpness where the S_k sum to 1.

    Departures: divided by the number of pixels rather than images, so that a weight holds for any crop; the value is
    negative by construction, as in the authors' code.

    Args:
        probabilities: (N, C, h, w).
        rgb: (N, 3, H, W) in [0, 1]; averaged to (h, w).
        valid: (N, H, W) bool.
        sigma_xy: In cells of the (h, w) grid.
        sigma_rgb: In units of ``rgb``.

    Returns:
        Scalar <= 0; a zero on the graph where nothing is valid.
    """
    small, inside = shrink_image(rgb, valid, (probabilities.shape[2], probabilities.shape[3]))
    energy = dense_energy(probabilities, small, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb, valid=inside, gradient="exact")
    return energy / inside.sum().clamp(min=1)
