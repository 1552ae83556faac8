"""Losses of RRM: cross-entropy on the few reliable pixels, and an energy that spreads their labels to other pixels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.kernels.bilateral.energy import dense_energy
from underpaint.losses.candidates import nothing, seed_cross_entropy
from underpaint.losses.grid import shrink_image
from underpaint.records import UNKNOWN, NetOutput


def split_cross_entropy(out: NetOutput, labels: Tensor, *, background: int | None) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the background pixels and of all other labelled pixels, each a mean over its own pixels.

    So the objects have the same weight as the background, even if they have few pixels.

    paper: Zhang et al., "Reliability Does Matter", AAAI 2020.

    Args:
        out: Network output; ``out.size`` must be the size of the labels.
        labels: (N, H, W) uint8, class index, or 255 where the pixel is unknown or padding.
        background: Index of the background class, or None.

    Returns:
        Two scalars; each is a zero on the graph if it has no pixels.
    """
    if background is None:
        return nothing(out.logits), seed_cross_entropy(out, labels)
    here = labels == background
    behind = seed_cross_entropy(out, labels.masked_fill(~here, UNKNOWN))
    return behind, seed_cross_entropy(out, labels.masked_fill(here, UNKNOWN))


def gated_dense_energy(
    logits: Tensor,
    rgb: Tensor,
    valid: Tensor,
    labels: Tensor,
    *,
    sigma_xy: float,
    sigma_rgb: float,
    gradient: Literal["reference", "exact"],
) -> Tensor:
    """Dense energy with the soft gate of RRM, independent of the resolution of the grid and of the size of the crop.

    ``-(1 / (n sigma_xy^2)) sum_i S_i sum_k P_ik (A P)_ik`` over the n valid cells of the grid of the logits. The gate S
    is 1 at cells without a label and ``1 - max_k P_ik`` at labelled cells; it is treated as constant. So labelled cells
    with a confident prediction hardly change. The sum over the neighbours of a cell grows with sigma_xy^2, because that
    many cells are within reach; the division removes this.

    paper: Zhang et al., "Reliability Does Matter", AAAI 2020. Departures: the division by cells and by sigma_xy^2; the
    image is averaged to a quarter of the crop size instead of subsampled to half of it.

    Args:
        logits: (N, C, h, w).
        rgb: (N, 3, H, W) in [0, 1]; averaged to (h, w).
        valid: (N, H, W) bool, False on padding.
        labels: (N, h', w') uint8 at any size, 255 where unknown.
        sigma_xy: Standard deviation of the position, in cells of the grid of the logits.
        sigma_rgb: Standard deviation of the colour, in the units of ``rgb``.
        gradient: "exact" or "reference", as in `dense_energy`.

    Returns:
        A scalar <= 0; a zero on the graph if nothing is valid.
    """
    size = (logits.shape[2], logits.shape[3])
    small, inside = shrink_image(rgb, valid, size)
    if not bool(inside.any()):
        return nothing(logits)
    probabilities = logits.float().softmax(dim=1)
    unknown = F.interpolate(labels[:, None].float(), size, mode="nearest-exact")[:, 0] == UNKNOWN
    gate = torch.where(unknown, 1.0, 1 - probabilities.detach().amax(dim=1)) * inside
    energy = dense_energy(
        probabilities, small, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb, gate=gate, valid=inside, gradient=gradient
    )
    return energy / (inside.sum() * sigma_xy**2)
