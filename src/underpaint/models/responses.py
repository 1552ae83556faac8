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
    network: Network,
    image: Tensor,
    *,
    scales: tuple[float, ...],
    flip: bool,
    size: tuple[int, int],
    rivals: Tensor | None = None,
) -> Tensor:
    """Sum over scales and mirror images of ``relu(tag_maps)``, each resized to one grid.

    With ``rivals``, the classes that an image shows compete for its cells (ours): the sum of class c is multiplied by
    ``exp(z_c - max_r z_r)``, where z is the mean of the signed maps over scales and mirror images and r runs over the
    rivals. A class whose map is positive where another one is far stronger loses the cell.

    At every scale the image is resized to the nearest multiples of the network's divisor, so that a map covers exactly
    the image without padding. A mean would differ from the sum only by a factor, which normalisation removes.

    paper: Ahn and Kwak, CVPR 2018 (PSA), whose four scales and flips RRM, SC-CAM and IRN share.

    Args:
        network: A network with a tag head; its mode (training or evaluation) is not changed.
        image: (N, 3, H, W), normalised, of any size.
        scales: Factors on the image's size.
        flip: Also use the mirror image.
        size: (h, w) of the result.
        rivals: (N, C) bool, the classes other than the background that each image shows; None for no competition.

    Returns:
        (N, C, h, w) float32, >= 0; zeros if there are no scales.

    Raises:
        ConfigError: The network has no tag head.
    """
    total = image.new_zeros((len(image), network.head.out_channels, *size), dtype=torch.float32)
    signed = torch.zeros_like(total)
    for scale in scales:
        scaled = F.interpolate(image, scaled_size(image, scale, network.divisor), mode="bilinear", antialias=scale < 1)
        for mirrored in (False, True)[: 1 + flip]:
            view = (scaled.flip(3) if mirrored else scaled).contiguous(memory_format=torch.channels_last)
            maps = network.tag_maps(view).float()
            positive = F.interpolate(maps.relu(), size, mode="bilinear")
            total += positive.flip(3) if mirrored else positive
            if rivals is not None:
                whole = F.interpolate(maps, size, mode="bilinear")
                signed += whole.flip(3) if mirrored else whole
    return total if rivals is None else total * _part(signed / max(1, len(scales) * (1 + flip)), rivals)


def _part(scores: Tensor, rivals: Tensor) -> Tensor:
    """(N, C, h, w) in 0..1: ``exp(z_c - max_r z_r)`` for the rivals, 1 for all other classes."""
    among = rivals[:, :, None, None]
    strongest = scores.masked_fill(~among, -torch.inf).amax(dim=1, keepdim=True)
    return torch.where(among, torch.exp(scores - strongest), 1.0)


def scaled_size(image: Tensor, scale: float, divisor: int) -> tuple[int, int]:
    """(H, W) of a scaled image: the multiples of the divisor that are nearest to the image's sides times the scale."""
    factor = min(scale, LONGEST / max(image.shape[2:]))
    height, width = (max(divisor, divisor * round(side * factor / divisor)) for side in image.shape[2:])
    return height, width
