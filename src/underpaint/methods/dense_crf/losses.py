"""The dense CRF loss: all pixels of similar colour should have the same class, and more so the closer they are."""

from __future__ import annotations

from torch import Tensor

from underpaint.kernels.bilateral.energy import dense_energy
from underpaint.losses.grid import shrink_image


def dense_crf_loss(probabilities: Tensor, rgb: Tensor, valid: Tensor, *, sigma_xy: float, sigma_rgb: float) -> Tensor:
    """Dense CRF loss (Tang et al., ECCV 2018, eq. 5): the relaxed Potts energy of a fully connected Gaussian CRF.

    ``-(1/P) sum_k S_k' W S_k``, where W is the bilateral affinity over all pairs, including each pixel with itself,
    approximated on the permutohedral lattice, and P is the number of valid cells. It differs from
    ``sum_k S_k' W (1 - S_k)`` by a term that does not depend on the prediction if the S_k sum to 1.

    Departure: the sum is divided by the number of cells instead of images, so that one weight suits every crop size.
    The value is negative, as in the authors' code.

    Args:
        probabilities: (N, C, h, w), summing to 1 over C.
        rgb: (N, 3, H, W) in [0, 1]; averaged to (h, w).
        valid: (N, H, W) bool, False on padding.
        sigma_xy: Standard deviation of the position, in cells of the (h, w) grid.
        sigma_rgb: Standard deviation of the colour, in the units of ``rgb``.

    Returns:
        A scalar <= 0; a zero on the graph if nothing is valid.
    """
    small, inside = shrink_image(rgb, valid, (probabilities.shape[2], probabilities.shape[3]))
    energy = dense_energy(probabilities, small, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb, valid=inside, gradient="exact")
    return energy / inside.sum().clamp(min=1)
