"""Class activation maps of single images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.models.network import Network
from underpaint.models.responses import response_maps, scaled_size
from underpaint.predict.predictor import STRIDE, Pixels

Maps = npt.NDArray[np.float32]


class CamPredictor:
    """Computes class activation maps of single images with the tag head of a network.

    Args:
        network: A network with a tag head; it is put into evaluation mode.
        scales: Factors on the image's size.
        flip: Also use the mirror image.

    Raises:
        ConfigError: The network has no tag head (raised at the first image).
    """

    def __init__(self, network: Network, *, scales: tuple[float, ...], flip: bool) -> None:
        self.network = network.eval().to(memory_format=torch.channels_last)
        self.scales, self.flip = scales, flip

    @torch.inference_mode()
    def coarse(self, rgb: Pixels, rivals: npt.NDArray[np.bool_] | None = None) -> Maps:
        """(C, ceil(H/4), ceil(W/4)) maps >= 0 of an (H, W, 3) image, summed over scales and mirror images.

        Args:
            rgb: The image.
            rivals: (C,) classes that compete for its cells, as in `response_maps`; None for no competition.
        """
        size = (-(-rgb.shape[0] // STRIDE), -(-rgb.shape[1] // STRIDE))
        maps = response_maps(
            self.network,
            self._image(rgb),
            scales=self.scales,
            flip=self.flip,
            size=size,
            rivals=None
            if rivals is None
            else torch.from_numpy(rivals)[None].to(next(self.network.parameters()).device),
        )
        return np.asarray(maps[0].cpu().numpy())

    @torch.inference_mode()
    def scores(self, rgb: Pixels) -> Maps:
        """(C,) probabilities that each class is in an (H, W, 3) image, predicted at scale 1."""
        image = self._image(rgb)
        size = scaled_size(image, 1.0, self.network.divisor)
        maps = self.network.tag_maps(F.interpolate(image, size, mode="bilinear", align_corners=False))
        return np.asarray(maps.mean(dim=(2, 3))[0].sigmoid().cpu().numpy())

    def _image(self, rgb: Pixels) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(rgb)).to(next(self.network.parameters()).device)
        return self.network.normalised(pixels.permute(2, 0, 1)[None].float() / 255)
