"""A folded encoder has the outputs of the encoder itself, whatever the structure of the encoder and the size."""

from __future__ import annotations

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from underpaint.features.folded import Mirrored, folded
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network


def encoder_of(name: str) -> nn.Module:
    """With batch statistics as of a training, so that folding them is not the identity."""
    torch.manual_seed(0)
    encoder: nn.Module = Network(ModelConfig(architecture="linear", encoder=name, weights="none"), 3).eval().encoder
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    return encoder


@pytest.mark.parametrize(
    ("name", "mirrored", "norms"),
    [("tf_efficientnet_lite0", True, 0), ("resnet10t", False, None), ("vit_tiny_patch16_224", False, None)],
)
def test_the_outputs_are_those_of_the_encoder(name: str, mirrored: bool, norms: int | None) -> None:
    encoder = encoder_of(name)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    changed = folded(encoder, 3)
    assert isinstance(changed, Mirrored) == mirrored
    if norms is not None:
        assert sum(isinstance(module, BatchNormAct2d) for module in changed.modules()) == norms
    for size in ((64, 96), (96, 112), (80, 48), (33, 71)) if mirrored else ((64, 96), (96, 112)):
        image = torch.randn(2, 3, *size)
        with torch.inference_mode():
            for ours, theirs in zip(changed(image), encoder(image), strict=True):
                assert ours.shape == theirs.shape
                if not theirs.numel():  # a level that a vision transformer has not
                    continue
                torch.testing.assert_close(ours, theirs, atol=2e-5 * float(theirs.abs().max()), rtol=0)
    for key, value in encoder.state_dict().items():
        assert torch.equal(value, before[key]), f"{key} of the given encoder was changed"


class Reused(nn.Module):
    """Looks like a convolution and its normalisation, but the convolution's output is also used elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, padding=1), BatchNormAct2d(4)
        assert self.norm.running_mean is not None
        nn.init.constant_(self.norm.running_mean, 3.0)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        made = self.convolution(image)
        return [image, made + self.norm(made)]


def test_a_change_that_would_change_the_outputs_is_not_made() -> None:
    encoder = Reused().eval()
    image = torch.randn(1, 3, 16, 16)
    assert torch.equal(folded(encoder, 3)(image)[1], encoder(image)[1])
