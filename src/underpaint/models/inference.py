"""The network as it is used after training: it takes images of any size and returns class scores of every pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from underpaint.models.network import Network
from underpaint.records import NetOutput


class FullSize(nn.Module):
    """A network with normalisation, padding, upsampling and cropping to the image's size.

    Prediction runs this module, and the exported file contains the same module, so that both give the same results.

    Args:
        network: The network; it is put into evaluation mode and channels-last layout, which is 1.25 times faster than
            channels-first on a CPU for the default network (``benchmarks/prediction.py``).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.divisor = network.divisor
        device = next(network.parameters()).device
        self.register_buffer("mean", network.mean.to(device).view(1, -1, 1, 1))
        self.register_buffer("std", network.std.to(device).view(1, -1, 1, 1))
        self.eval()

    def forward(self, rgb: Tensor) -> Tensor:
        """(N, C, H, W) float32 logits of (N, B, H, W) bands in [0, 1], of any height and width from 1 on.

        The image is padded to the next multiple of the network's divisor by repeating its right and lower border, so
        that the padding adds no edge.
        """
        return self.output(rgb).upsampled().float()[:, :, : rgb.shape[2], : rgb.shape[3]]

    def variance(self, rgb: Tensor) -> Tensor:
        """(N, 1, H, W) float32 variance of a network with a variance head, for images as in `forward`."""
        output = self.output(rgb)
        assert output.variance is not None
        full = F.interpolate(output.variance.float(), output.size, mode="bilinear", align_corners=False)
        return full[:, :, : rgb.shape[2], : rgb.shape[3]]

    def scene(self, rgb: Tensor) -> Tensor:
        """(N, C, H, W), the same at all pixels: what the mean over an image adds to the scores of a linear model."""
        head = self.network.linear_head
        assert head is not None
        mean = self.network.encode(self._padded(rgb))[-1].mean(dim=(2, 3), keepdim=True)
        term: Tensor = head.parts[-1](mean)
        return term.float().expand(-1, -1, rgb.shape[2], rgb.shape[3])

    def output(self, rgb: Tensor) -> NetOutput:
        """The network's output for the padded image."""
        output: NetOutput = self.network(self._padded(rgb))
        return output

    def _padded(self, rgb: Tensor) -> Tensor:
        padding = (0, -rgb.shape[3] % self.divisor, 0, -rgb.shape[2] % self.divisor)
        image = F.pad((rgb - self.mean) / self.std, padding, mode="replicate")
        return image.contiguous(memory_format=torch.channels_last)
