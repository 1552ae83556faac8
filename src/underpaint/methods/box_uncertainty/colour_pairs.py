"""The pairwise loss of BoxInst: neighbouring cells of similar colour should have the same label."""

from __future__ import annotations

import torch
from torch import Tensor

from underpaint.losses.candidates import nothing
from underpaint.losses.grid import shrink_image

DILATION = 2
"""Distance in cells to each of the eight neighbours; the authors' value, at a quarter of the image size like theirs."""

SIMILAR = 0.3
"""Smallest similarity of a pair that should agree; the authors' value: the colours differ by at most 2.4 in CIELAB."""

_NEIGHBOURS = ((0, DILATION), (DILATION, -DILATION), (DILATION, 0), (DILATION, DILATION))
"""Offsets (down, right) that visit each pair once."""


def same_label_loss(logits: Tensor, rgb: Tensor, valid: Tensor, where: Tensor) -> Tensor:
    """Mean of ``-log sum_k p_ik p_jk`` over the pairs of neighbours with similar colours and an end in ``where``.

    The colours of a pair are similar if ``exp(-|Lab_i - Lab_j| / 2) >= 0.3``. Pairs with a padded cell do not count.

    paper: Tian et al., "BoxInst: High-Performance Instance Segmentation with Box Annotations", CVPR 2021, eq. 4 to 7.
    Departure: the labels are all classes instead of foreground and background.

    Args:
        logits: (N, C, h, w).
        rgb: (N, 3, H, W) in [0, 1]; averaged to (h, w).
        valid: (N, H, W) bool, False on padding.
        where: (N, h, w) bool, the cells of which at least one must belong to a pair.

    Returns:
        A scalar >= 0; a zero on the graph if there is no such pair.
    """
    small, open_ = shrink_image(rgb, valid, (logits.shape[2], logits.shape[3]))
    colours = to_lab(small)
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(dim=1)
    losses = []
    for down, right in _NEIGHBOURS:
        one, other = (slice(None, -down or None), slice(None, -right or None)), (slice(down, None), slice(right, None))
        if right < 0:
            one, other = (one[0], slice(-right, None)), (other[0], slice(None, right))
        ends = [(..., *side) for side in (one, other)]
        distance = (colours[ends[0]] - colours[ends[1]]).norm(dim=1)
        pairs = (distance / -2).exp() >= SIMILAR
        pairs &= open_[ends[0]] & open_[ends[1]] & (where[ends[0]] | where[ends[1]])
        agreed = scores[ends[0]].movedim(1, 3)[pairs] + scores[ends[1]].movedim(1, 3)[pairs]  # (P, C)
        losses.append(-agreed.logsumexp(dim=1))
    every = torch.cat(losses)
    return every.mean() if len(every) else nothing(logits)


def to_lab(rgb: Tensor) -> Tensor:
    """Convert (N, 3, H, W) sRGB in [0, 1] to CIELAB under D65, with L in 0 to 100 (CIE 015; IEC 61966-2-1)."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = rgb.new_tensor(
        [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
    )
    white = rgb.new_tensor([0.95047, 1.0, 1.08883]).view(1, 3, 1, 1)
    xyz = torch.einsum("ij,njhw->nihw", matrix, linear) / white
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(dim=1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)
