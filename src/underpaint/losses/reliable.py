"""Losses of RRM: cross-entropy on few reliable pixels, an energy that spreads from them to all others."""

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
    """Cross-entropy of the background's pixels, and of all others', each a mean over its own.

    However few the pixels of the objects, they count as much as the background's.

    paper: Zhang et al., "Reliability Does Matter", AAAI 2020.

    Args:
        out: Network output; ``out.size`` is that of the labels.
        labels: (N, H, W) uint8, class index, or 255 where unknown or padded.
        background: Index of the background class, or None.

    Returns:
        Two scalars, each a zero on the graph where there is nothing to learn.
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
    """Dense energy with RRM's soft gate, a pixel and a square of ``sigma_xy``: scale of neither grid nor crop.

    ``-(1 / (P sigma_xy^2)) sum_i S_i sum_k P_ik (A P)_ik`` over the valid cells of the logits' grid. The gate S is 1 at
    cells without a label and ``1 - max_k P_ik`` at labelled ones, and constant: what is known already is left alone.
    The sum over a pixel's neighbours grows with the cells within reach, that is with sigma_xy^2.

    paper: Zhang et al., "Reliability Does Matter", AAAI 2020. Departures: divided by pixels and reach; a quarter of the
    crop's size by area averages, instead of half by nearest pixels.

    Args:
        logits: (N, C, h, w).
        rgb: (N, 3, H, W) in [0, 1].
        valid: (N, H, W) bool.
        labels: (N, h', w') uint8 at any size, 255 where unknown.
        sigma_xy: Reach in cells of the logits' grid.
        sigma_rgb: Colour tolerance in the units of ``rgb``.
        gradient: As in `dense_energy`.

    Returns:
        Scalar <= 0; a zero on the graph where nothing is valid.
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
