"""The Gated CRF loss: pixels of similar colour within a window should have the same class."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from underpaint.kernels.windowed import GaussianKernel, windowed_energy
from underpaint.losses.grid import shrink_image

SIGMA_XY = 6.0
"""Standard deviation of the position in cells of the grid of the decoder. This and the next values: authors' code."""

SIGMA_RGB = 0.0226
"""Standard deviation of the colour for RGB in [0, 1]: 0.1 after a division by ImageNet's deviation of about 0.226."""

RADIUS = 5
"""Radius of the window in cells."""

PUBLISHED = GaussianKernel(weight=1.0, sigma_xy=SIGMA_XY, sigma_rgb=SIGMA_RGB)


def gated_crf_loss(
    probabilities: Tensor,
    rgb: Tensor,
    valid: Tensor,
    *,
    kernels: Sequence[GaussianKernel],
    radius: int,
) -> Tensor:
    """Gated CRF loss (Obukhov et al. 2019, eq. 3 and 4, in the form of their code).

    ``(1/D) sum_i sum_{j in window(i), j != i} g_i g_j K_ij (1 - sum_k y_ik y_jk)`` with the kernel
    ``K_ij = sum_m w_m exp(-|f_m(i) - f_m(j)|^2 / 2)`` on positions and colours, the gate g = 0 on padding, and D the
    number of cells with g = 1. Gradients flow through both y_i and y_j.

    Departures: a pair with a padded cell at either end does not count, so that padding changes nothing (the published
    training gates j only). Pairs that reach outside the image do not count (the published code pairs border pixels with
    zero features there).

    Args:
        probabilities: (N, C, h, w), summing to 1 over C.
        rgb: (N, 3, H, W) in [0, 1]; averaged to (h, w).
        valid: (N, H, W) bool, False on padding.
        kernels: Terms of K, with ``sigma_xy`` in cells of the (h, w) grid and ``sigma_rgb`` in the units of ``rgb``.
        radius: Radius of the square window in cells.

    Returns:
        A scalar >= 0; a zero on the graph if all cells are padding.
    """
    small, gate = shrink_image(rgb, valid, (probabilities.shape[2], probabilities.shape[3]))
    energy = windowed_energy(probabilities, small, kernels=kernels, radius=radius, source=gate, destination=gate)
    return energy / gate.sum().clamp(min=1)
