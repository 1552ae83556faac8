"""Response maps (class activation maps) of photographs, as numbers and as pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.models.network import Network
from underpaint.models.responses import looked_at, response_maps
from underpaint.predict.predictor import STRIDE, Pixels

Maps = npt.NDArray[np.float32]


class CamPredictor:
    """Looks at single images through the tag head of a network.

    Args:
        network: With a tag head; put into evaluation mode.
        scales: Factors on the image's size.
        flip: Also look at the mirror image.

    Raises:
        ConfigError: the network has no tag head (at the first image).
    """

    def __init__(self, network: Network, *, scales: tuple[float, ...], flip: bool) -> None:
        self.network = network.eval().to(memory_format=torch.channels_last)
        self.scales, self.flip = scales, flip

    @torch.inference_mode()
    def coarse(self, rgb: Pixels) -> Maps:
        """(C, ceil(H/4), ceil(W/4)) sums over the looks at an (H, W, 3) image, >= 0."""
        size = (-(-rgb.shape[0] // STRIDE), -(-rgb.shape[1] // STRIDE))
        maps = response_maps(self.network, self._image(rgb), scales=self.scales, flip=self.flip, size=size)
        return np.asarray(maps[0].cpu().numpy())

    @torch.inference_mode()
    def scores(self, rgb: Pixels) -> Maps:
        """(C,) probabilities that each class is in an (H, W, 3) image, from a look at its own scale."""
        image = self._image(rgb)
        size = looked_at(image, 1.0, self.network.divisor)
        maps = self.network.tag_maps(F.interpolate(image, size, mode="bilinear", align_corners=False))
        return np.asarray(maps.mean(dim=(2, 3))[0].sigmoid().cpu().numpy())

    def _image(self, rgb: Pixels) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(rgb)).to(next(self.network.parameters()).device)
        return self.network.normalised(pixels.permute(2, 0, 1)[None].float() / 255)
