"""Response maps of the tag head (class activation maps) over several scales and mirror images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.models.network import Network

LONGEST = 2048
"""Longest side in pixels at which an image is looked at: it bounds memory on large photographs (2 GB for default
networks), and leaves VOC's 500 pixels at scale 2 as they are."""


@torch.no_grad()
def response_maps(
    network: Network, image: Tensor, *, scales: tuple[float, ...], flip: bool, size: tuple[int, int]
) -> Tensor:
    """Sum over scales and mirror images of ``relu(tag_maps)``, each brought to one grid.

    At every scale the image is resized to the nearest multiples of the network's divisor, so that a map covers exactly
    the image and no border is made up. Sums and means differ by a factor that normalisation takes out.

    paper: Ahn and Kwak, CVPR 2018 (PSA), whose four scales and flips RRM, SC-CAM and IRN share.

    Args:
        network: With a tag head; looked through as it stands, in training or evaluation mode.
        image: (N, 3, H, W), normalised, of any size.
        scales: Factors on the image's size.
        flip: Also look at the mirror image.
        size: (h, w) of the result.

    Returns:
        (N, C, h, w) float32, >= 0; zeros without any scale.

    Raises:
        ConfigError: the network has no tag head.
    """
    total = image.new_zeros((len(image), network.head.out_channels, *size), dtype=torch.float32)
    for scale in scales:
        seen = F.interpolate(image, looked_at(image, scale, network.divisor), mode="bilinear", antialias=scale < 1)
        for mirrored in (False, True)[: 1 + flip]:
            look = (seen.flip(3) if mirrored else seen).contiguous(memory_format=torch.channels_last)
            maps = F.interpolate(network.tag_maps(look).float().relu(), size, mode="bilinear")
            total += maps.flip(3) if mirrored else maps
    return total


def looked_at(image: Tensor, scale: float, divisor: int) -> tuple[int, int]:
    """(H, W) of a look: multiples of the divisor near the image's sides times the scale."""
    factor = min(scale, LONGEST / max(image.shape[2:]))
    height, width = (max(divisor, divisor * round(side * factor / divisor)) for side in image.shape[2:])
    return height, width
