"""Networks of other bands than three start from the same pre-trained weights."""

from __future__ import annotations

import pytest
import torch

from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.models.weights import bundled_state

STEM = "conv_stem.weight"


def stem(bands: int, **settings: object) -> torch.Tensor:
    network = Network(ModelConfig.parse({"bands": bands, **settings}, "test"), 2)
    weights: torch.Tensor = network.encoder.model.state_dict()[STEM]
    return weights


def test_three_bands_keep_the_weights_to_the_bit() -> None:
    assert torch.equal(stem(3), bundled_state("tf_efficientnet_lite0")[STEM])


@pytest.mark.parametrize("bands", [1, 2, 4, 7, 16])
def test_a_picture_repeated_over_the_bands_gives_what_its_colours_gave(bands: int) -> None:
    weights, pretrained = stem(bands), bundled_state("tf_efficientnet_lite0")[STEM]
    assert weights.shape == (32, bands, 3, 3)
    if bands == 1:
        torch.testing.assert_close(weights[:, 0], pretrained.sum(1))
        return
    for band in range(bands):  # red, green and blue in turn, scaled by three over the number of bands
        torch.testing.assert_close(weights[:, band], pretrained[:, band % 3] * 3 / bands)


@pytest.mark.parametrize("architecture", ["deeplabv3plus", "linear"])
@pytest.mark.parametrize("bands", [1, 5])
def test_every_decoder_takes_them(architecture: str, bands: int) -> None:
    config = ModelConfig.parse({"bands": bands, "architecture": architecture, "weights": "none"}, "test")
    network = Network(config, 3).eval()
    rgb = torch.rand(1, bands, 64, 96)
    with torch.inference_mode():
        out = network(network.normalised(rgb))
    assert out.upsampled().shape == (1, 3, 64, 96)
