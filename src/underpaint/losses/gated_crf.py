"""The Gated CRF loss: pixels of similar colour within a window should have the same class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.kernels.windowed import GaussianKernel, windowed_energy, windowed_sum
from underpaint.losses.grid import at_centres, shrink_image
from underpaint.records import UNKNOWN

SIGMA_XY = 6.0
"""Standard deviation of the position in cells of the grid of the decoder. This value and the next two come from the
authors' code."""

SIGMA_RGB = 0.0226
"""Standard deviation of the colour for RGB in [0, 1]. It is 0.1 after division by ImageNet's deviation of about
0.226."""

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


@torch.no_grad()
def crf_labels(
    logits: Tensor,
    seeds: Tensor,
    rgb: Tensor,
    valid: Tensor,
    *,
    kernels: Sequence[GaussianKernel],
    radius: int,
    strength: float,
    iterations: int,
) -> Tensor:
    """Make soft labels by mean-field inference under the gated CRF, starting from the output of a network.

    ``q_i <- softmax(z_i + strength * sum_j K_ij q_j / (1 + sum_j K_ij))``; a cell with a hint keeps its class. That a
    CRF makes labels and the network learns them, instead of gradient descent on the energy, is the idea of Marin et al.
    ("Beyond Gradient Descent for Regularized Segmentation Losses", CVPR 2019).

    Args:
        logits: (N, C, h, w), the scores z.
        seeds: (N, H, W) uint8, class index, or 255 where the pixel is unknown or padding.
        rgb: (N, 3, H, W) in [0, 1]; averaged to (h, w).
        valid: (N, H, W) bool, False on padding.
        kernels: Terms of K, as in `gated_crf_loss`.
        radius: Radius of the square window in cells.
        strength: Weight of the mean of the neighbours relative to the scores of the network, above 0.
        iterations: Number of iterations of mean-field inference, at least 1.

    Returns:
        (N, C, h, w), float32, or float64 for float64 logits. It sums to 1 over C. On cells that contain padding it is
        0; these cells do not influence other cells.

    Raises:
        DataError, ConfigError: The same as in `windowed_sum`.
    """
    size, classes = (logits.shape[2], logits.shape[3]), logits.shape[1]
    small, gate = shrink_image(rgb, valid, size)
    seeds = at_centres(seeds, size)
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32))
    hinted = (seeds != UNKNOWN)[:, None]
    marked = F.one_hot(seeds.long().clamp(max=classes - 1), classes).movedim(3, 1).to(scores)
    labels = torch.where(hinted, marked, scores.softmax(dim=1))
    for _ in range(iterations):
        message = windowed_sum(labels, small, kernels=kernels, radius=radius, gate=gate)
        mean = message / (1 + message.sum(dim=1, keepdim=True))
        labels = torch.where(hinted, marked, (scores + strength * mean).softmax(dim=1))
    return labels * gate[:, None]
