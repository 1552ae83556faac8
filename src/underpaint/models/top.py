"""The last layers of a classifier before its mean over the image, which an encoder of feature maps leaves out.

An EfficientNet widens its deepest features by a 1 x 1 convolution (lite0: from 320 to 1,280 channels) before it takes
their mean, and its ImageNet classes are linear in the widened ones. timm's feature extractor drops this layer. A linear
model of tags on the wide features is better than one on the narrow ones (docs/tags.md).
"""

from __future__ import annotations

from collections.abc import Mapping

import timm
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

NAMES = {"conv_head": "conv", "bn2": "norm"}
"""timm's names of the two layers, and ours."""


class Top(nn.Module):
    """(N, F', h, w) wide features of the deepest ones (N, F, h, w).

    Args:
        conv: 1 x 1.
        norm: With the activation.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    @classmethod
    def of(cls, encoder: str, *, online: bool) -> Top | None:
        """That of a timm model; None for one whose deepest features are what it averages.

        Args:
            encoder: timm's name.
            online: Whether with timm's weights from the hub's cache.
        """
        whole = timm.create_model(encoder, pretrained=online)
        if not isinstance(whole, EfficientNet):
            return None
        return cls(whole.conv_head, whole.bn2)

    @property
    def width(self) -> int:
        """F'."""
        return self.conv.out_channels

    def take(self, state: Mapping[str, Tensor]) -> bool:
        """Take over the weights of the two layers under timm's names; False where they are not there or do not fit."""
        own = self.state_dict()
        found = {f"{NAMES[start]}.{rest}": tensor for start, _, rest, tensor in _parts(state) if start in NAMES}
        if any(name not in found or found[name].shape != value.shape for name, value in own.items()):
            return False
        self.load_state_dict({name: found[name] for name in own})
        return True

    def forward(self, deepest: Tensor) -> Tensor:
        """Wide features."""
        wide: Tensor = self.norm(self.conv(deepest))
        return wide


def _parts(state: Mapping[str, Tensor]) -> list[tuple[str, str, str, Tensor]]:
    return [(*name.partition("."), tensor) for name, tensor in state.items()]
