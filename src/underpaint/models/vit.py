"""Vision transformers of timm as encoders: features of several blocks on one grid, and the decoder DPT for them.

A ViT has one grid for all its blocks, where decoders for convolutional encoders want a pyramid. DPT (Ranftl et al.,
ICCV 2021) makes the pyramid from four of the blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import timm
import torch
from segmentation_models_pytorch.decoders.dpt.decoder import DPTDecoder
from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder
from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS = 4
"""Blocks whose features are taken, evenly over the depth (Ranftl et al., ICCV 2021)."""


class ViTEncoder(nn.Module):
    """The image, then features at four depths, in the order in which other encoders give theirs.

    Patches of another side than a power of two (14 pixels in DINOv2) do not fit a pyramid of halves. The image is
    resized so that a patch covers the nearest power of two pixels of it: 14 become 16 at 7/8 of the size.

    Args:
        name: timm's name.
        online: Whether with timm's weights from the hub's cache.
        bands: Of the images.
    """

    def __init__(self, name: str, *, online: bool, bands: int = 3) -> None:
        super().__init__()
        inner = TimmViTEncoder(name, pretrained=online, in_channels=bands, depth=BLOCKS, dynamic_img_size=True)
        self.model: Any = inner.model
        self._indices = list(inner._output_indices)
        self._patch = int(inner.output_stride)
        self.stride = 2 ** round(math.log2(self._patch))
        # In the place of a level at stride 2 there is one without channels: the place of a level names its stride.
        self.out_channels = [bands, 0, *inner.out_channels]

    def forward(self, image: Tensor) -> list[Tensor]:
        """The (N, 3, H, W) image, an empty level, and four levels (N, F, H / stride, W / stride)."""
        height, width = image.shape[2:]
        seen = image
        if self._patch != self.stride:
            size = [side // self.stride * self._patch for side in (height, width)]
            seen = F.interpolate(image, size, mode="bilinear", align_corners=False)
        found: list[Tensor] = self.model.forward_intermediates(seen, indices=self._indices, intermediates_only=True)
        return [image, image.new_empty(len(image), 0, height // 2, width // 2), *found]


class DptDecoder(nn.Module):
    """DPT of segmentation-models-pytorch on `ViTEncoder`'s levels, without class tokens: (N, width, H / 2, W / 2).

    Args:
        encoder: The encoder.
        width: Channels of the result.
    """

    def __init__(self, encoder: ViTEncoder, width: int) -> None:
        super().__init__()
        self.inner = DPTDecoder(
            encoder_out_channels=encoder.out_channels[2:],
            encoder_output_strides=[encoder.stride] * BLOCKS,
            readout="ignore",
            intermediate_channels=(width, 2 * width, 4 * width, 4 * width),
            fusion_channels=width,
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """The result for the encoder's levels."""
        decoded: Tensor = self.inner(list(features[2:]), [None] * BLOCKS)
        return decoded


def is_vit(name: str) -> bool:
    """Whether a timm model is a transformer with one grid of patches, by a model without weights."""
    with torch.device("meta"):
        model = timm.create_model(name)
    strides = {int(level["reduction"]) for level in getattr(model, "feature_info", [])}
    return hasattr(model, "forward_intermediates") and hasattr(model, "patch_embed") and len(strides) == 1
