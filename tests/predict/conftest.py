from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from underpaint.models.network import Network
from underpaint.records import NetOutput


class Stub(nn.Module):
    """A network of one convolution with random weights: (side x side), at a stride."""

    def __init__(self, classes: int, *, side: int, stride: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, classes, side, stride=stride, padding=side // 2)
        self.mean, self.std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3])
        self.divisor = 16
        self.field = None
        self.linear_head = None
        noise = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=noise))

    def forward(self, image: Tensor) -> NetOutput:
        height, width = image.shape[2:]
        assert height % self.divisor == width % self.divisor == 0
        return NetOutput(self.head(image), (height, width))


@pytest.fixture
def local() -> Network:
    """Every pixel is decided by its own colour."""
    return cast(Network, Stub(5, side=1, stride=1))


@pytest.fixture
def strided() -> Network:
    """Every fourth pixel is decided by its surroundings of five; the others lie between."""
    return cast(Network, Stub(5, side=5, stride=4))


@pytest.fixture
def photo() -> np.ndarray:
    """(512, 352, 3) uint8, multiples of 16 so that nothing is padded: smooth colours with some noise."""
    rng = np.random.default_rng(2)
    rows, columns = np.mgrid[:512, :352] / 40.0
    waves = np.stack([np.sin(rows), np.cos(columns), np.sin(rows + columns)], axis=2)
    return (128 + 90 * waves + rng.integers(-20, 20, waves.shape)).astype(np.uint8)
