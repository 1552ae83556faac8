"""Images and labels on the coarser grid of the decoder, on which losses on regions and on pairs are computed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def shrink_image(rgb: Tensor, valid: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Average an image over the cells of a coarser grid.

    Args:
        rgb: (N, 3, H, W) in [0, 1].
        valid: (N, H, W) bool, False on padding.
        size: (h, w) of the grid.

    Returns:
        rgb (N, 3, h, w), and valid (N, h, w), which is False on every cell with a padded pixel, because padding is
        mixed into its colour.
    """
    if size == tuple(rgb.shape[2:]):  # the average over one pixel would only copy the image
        return rgb, valid
    small = F.adaptive_avg_pool2d(rgb, size)
    whole = F.adaptive_avg_pool2d(valid[:, None].float(), size)[:, 0] >= 1 - 1e-6
    return small, whole


def centre_pixels(cells: int, pixels: int, device: torch.device) -> Tensor:
    """(cells,) int64 index of the pixel under the centre of each cell, along one side of the image."""
    return ((torch.arange(cells, device=device) + 0.5) * (pixels / cells)).long().clamp(max=pixels - 1)


def at_centres(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, h, w) values of an (N, H, W) map at the pixel under the centre of each cell."""
    rows = centre_pixels(size[0], pixels.shape[1], pixels.device)
    columns = centre_pixels(size[1], pixels.shape[2], pixels.device)
    return pixels[:, rows][:, :, columns]
