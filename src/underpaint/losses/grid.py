"""Images and labels on the coarser grid on which losses on wide regions and on pairs run."""

from __future__ import annotations

import torch
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


def centre_pixels(cells: int, pixels: int, device: torch.device) -> Tensor:
    """(cells,) index of the pixel under the centre of each cell, along one side of the image."""
    return ((torch.arange(cells, device=device) + 0.5) * (pixels / cells)).long().clamp(max=pixels - 1)


def at_centres(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, h, w): what an (N, H, W) map says at the pixel under the centre of each cell."""
    rows = centre_pixels(size[0], pixels.shape[1], pixels.device)
    columns = centre_pixels(size[1], pixels.shape[2], pixels.device)
    return pixels[:, rows][:, :, columns]
