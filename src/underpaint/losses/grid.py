"""Images on the coarser grid on which pairwise losses run."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def shrink_image(rgb: Tensor, valid: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Area-average an image to a coarser grid.

    Args:
        rgb: (N, 3, H, W) in [0, 1].
        valid: (N, H, W) bool.
        size: (h, w).

    Returns:
        rgb (N, 3, h, w), and valid (N, h, w), False on every cell that padding touches: their colour is mixed with it.
    """
    if size == tuple(rgb.shape[2:]):  # the average of one pixel each, at the price of a copy
        return rgb, valid
    small = F.adaptive_avg_pool2d(rgb, size)
    whole = F.adaptive_avg_pool2d(valid[:, None].float(), size)[:, 0] >= 1 - 1e-6
    return small, whole
