"""A linear decoder: class scores as a linear function of several levels of an encoder's features and of colour.

The decoder of the quick model. It has no weights but those of one linear layer, so that fitting it is a convex problem
(`underpaint.features.linear`) and takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COLOUR_STRIDE = 4
"""Side of a colour cell in pixels: the stride of the finest level of features."""

COLOUR_WINDOWS = (1, 3, 9)
"""Sides in cells of the windows over which colour is averaged: the cell, its neighbours, and a window of 36 pixels."""

CONTEXT = 288
"""Side in pixels of the scaled image of the window over which the deepest features are averaged: 9 cells of stride 32,
or 17 of stride 16."""

STRIDE = 32
"""The usual stride of the deepest features."""

DEEP = 4.0
"""Penalty on the weights of the deepest features and of their means, as a multiple of the penalty on all others. There
are many of them, and they have few different values in an image. Without it the mean over the whole image costs a point
on MSRC-21 ``val`` (docs/methods/quick.md)."""


class Levels(nn.Module):
    """The inputs of a linear decoder: colour, the encoder's features from stride 4 on, and their context.

    The last two levels, the context, are the means of the deepest features over `CONTEXT` x `CONTEXT` pixels around
    each cell, and over the whole image; they describe the surroundings and the kind of scene.

    Args:
        channels: Channels of the encoder's outputs: the normalised image, then features at strides 2, 4, 8 and so on.
        mean, std: (B,) normalisation of the encoder for bands in [0, 1].
        stride: Stride of the deepest features. Some decoders let the encoder work on a finer grid.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: Sequence[int], mean: Tensor, std: Tensor, stride: int = STRIDE) -> None:
        super().__init__()
        self.context = 2 * ((CONTEXT // stride - 1) // 2) + 1
        self.kept = [i for i, width in enumerate(channels) if 2**i >= COLOUR_STRIDE and width > 0]
        deepest = channels[-1]
        self.channels = (mean.numel() * len(COLOUR_WINDOWS), *(channels[i] for i in self.kept), deepest, deepest)
        self.penalties = (*(1.0 for _ in self.channels[:-3]), DEEP, DEEP, DEEP)
        self.register_buffer("mean", mean.view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, -1, 1, 1), persistent=False)

    def forward(self, features: Sequence[Tensor], scene: Tensor | None = None) -> list[Tensor]:
        """The levels, each (N, F, h, w) on its own grid over the whole image; the finest level is first.

        Args:
            features: The encoder's outputs: the normalised image (N, B, H, W), then its feature maps.
            scene: (N, F) means of the deepest features over whole images, if ``features`` show only parts of them; a
                row of NaN, or None, stands for the mean over ``features``.
        """
        bands = features[0] * self.std + self.mean
        cells = F.avg_pool2d(bands, COLOUR_STRIDE)
        if bands.shape[1] == 3:  # other bands have no colours in the sense of CIE
            cells = lab_of(cells)
        means = [averaged(cells, window) for window in COLOUR_WINDOWS]
        deepest = features[-1]
        whole = deepest.mean(dim=(2, 3), keepdim=True)
        if scene is not None:
            given = scene[:, :, None, None].to(whole)
            whole = torch.where(given.isnan(), whole, given)
        return [torch.cat(means, dim=1), *(features[i] for i in self.kept), averaged(deepest, self.context), whole]


def averaged(cells: Tensor, window: int) -> Tensor:
    """Means over ``window`` x ``window`` cells around each cell; ``window`` is odd. Cells outside are left out."""
    return F.avg_pool2d(cells, window, 1, window // 2, count_include_pad=False)


class LinearHead(nn.Module):
    """(N, C, h, w) class scores on the grid of the finest level: ``sum_l up(W_l f_l) + b``.

    A linear layer and a bilinear enlargement can be exchanged. So the weights of every level are applied on its own
    small grid, and the result is enlarged. The scores are the same as those of one layer on all levels enlarged and
    stacked, and take a hundredth of the time.

    Args:
        channels: Number of channels of every level.
        classes: C, number of classes.
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.out_channels = classes
        self.parts = nn.ModuleList(nn.Conv2d(width, classes, 1, bias=i == 0) for i, width in enumerate(channels))

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """(N, C, h, w) scores from the levels that `Levels` returns."""
        scores: Tensor = self.parts[0](levels[0])
        size = (scores.shape[2], scores.shape[3])
        for part, level in zip(self.parts[1:], levels[1:], strict=True):
            scores = scores + F.interpolate(part(level), size=size, mode="bilinear", align_corners=False)
        return scores

    def set_weights(self, weight: Tensor, bias: Tensor) -> None:
        """Set the weights to those of one layer on all levels stacked: ``weight`` (C, F) and ``bias`` (C,)."""
        start = 0
        with torch.no_grad():
            for part in self.parts:
                assert isinstance(part, nn.Conv2d)
                part.weight.copy_(weight[:, start : start + part.in_channels, None, None])
                start += part.in_channels
            first = self.parts[0]
            assert isinstance(first, nn.Conv2d)
            assert first.bias is not None
            first.bias.copy_(bias)


class LinearScores(nn.Module):
    """A linear head with its levels: class scores from the outputs of an encoder.

    Args:
        levels: Makes the levels.
        classes: C, number of classes.
    """

    def __init__(self, levels: Levels, classes: int) -> None:
        super().__init__()
        self.levels = levels
        self.head = LinearHead(levels.channels, classes)

    def forward(self, features: Sequence[Tensor], scene: Tensor | None = None) -> Tensor:
        """(N, C, h, w) scores on the grid of the finest level, from the encoder's outputs; ``scene`` as in `Levels`."""
        scores: Tensor = self.head(self.levels(features, scene))
        return scores


_RGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.95047, 1.0, 1.08883)


def lab_of(rgb: Tensor) -> Tensor:
    """CIE Lab in hundredths, (N, 3, H, W), of sRGB in [0, 1]: D65, 2 degrees, as `skimage.color.rgb2lab` gives it."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    xyz = F.conv2d(linear, rgb.new_tensor(_RGB_TO_XYZ)[:, :, None, None]) / rgb.new_tensor(_WHITE).view(1, 3, 1, 1)
    root = torch.where(xyz > 0.008856, xyz.clamp(min=1e-8) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(dim=1)
    return torch.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], dim=1)
