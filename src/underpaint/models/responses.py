"""Class activation maps of the tag head, summed over several scales and mirror images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.models.network import Network

LONGEST = 2048
"""Longest side in pixels of a scaled image. It limits the memory for large images (to 2 GB for the default networks),
and does not affect VOC's images of 500 pixels at scale 2."""


@torch.no_grad()
def response_maps(
    network: Network, image: Tensor, *, scales: tuple[float, ...], flip: bool, size: tuple[int, int]
) -> Tensor:
    """Sum over scales and mirror images of ``relu(tag_maps)``, each resized to one grid.

    At every scale the image is resized to the nearest multiples of the network's divisor, so that a map covers exactly
    the image without padding. A mean would differ from the sum only by a factor, which normalisation removes.

    paper: Ahn and Kwak, CVPR 2018 (PSA), whose four scales and flips RRM, SC-CAM and IRN share.

    Args:
        network: A network with a tag head; its mode (training or evaluation) is not changed.
        image: (N, 3, H, W), normalised, of any size.
        scales: Factors on the image's size.
        flip: Also use the mirror image.
        size: (h, w) of the result.

    Returns:
        (N, C, h, w) float32, >= 0; zeros if there are no scales.

    Raises:
        ConfigError: The network has no tag head.
    """
    total = image.new_zeros((len(image), network.head.out_channels, *size), dtype=torch.float32)
    for scale in scales:
        scaled = F.interpolate(image, scaled_size(image, scale, network.divisor), mode="bilinear", antialias=scale < 1)
        for mirrored in (False, True)[: 1 + flip]:
            view = (scaled.flip(3) if mirrored else scaled).contiguous(memory_format=torch.channels_last)
            maps = F.interpolate(network.tag_maps(view).float().relu(), size, mode="bilinear")
            total += maps.flip(3) if mirrored else maps
    return total


def scaled_size(image: Tensor, scale: float, divisor: int) -> tuple[int, int]:
    """(H, W) of a scaled image: the multiples of the divisor that are nearest to the image's sides times the scale."""
    factor = min(scale, LONGEST / max(image.shape[2:]))
    height, width = (max(divisor, divisor * round(side * factor / divisor)) for side in image.shape[2:])
    return height, width
