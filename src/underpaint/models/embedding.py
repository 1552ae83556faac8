"""An embedding of cells that is linear in an encoder's features: affinities in seconds instead of a training."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 2
"""The deepest levels of features that are taken: for lite0 112 and 320 channels at stride 16."""

WIDTH = 64
"""Channels of the embedding. The affinity is the mean of their differences, so that more say little more."""


class LinearEmbedding(nn.Module):
    """(N, `WIDTH`, h, w) on the grid of the finer level: ``sum_l up(W_l (f_l - mean_l) / std_l)``.

    Means and deviations of the channels are those of the batch in training, and running ones afterwards.

    Args:
        channels: Of all levels that the encoder gives.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        taken = channels[-LEVELS:]
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, affine=False) for width in taken)
        self.parts = nn.ModuleList(nn.Conv2d(width, WIDTH, 1, bias=False) for width in taken)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """The embedding of what the encoder gives."""
        finer, deeper = (
            part(norm(level)) for part, norm, level in zip(self.parts, self.norms, features[-LEVELS:], strict=True)
        )
        size = (finer.shape[2], finer.shape[3])
        same = size == tuple(deeper.shape[2:])
        total: Tensor = finer + (deeper if same else F.interpolate(deeper, size, mode="bilinear", align_corners=False))
        return total
