"""Vision transformers as encoders: grids, the decoder DPT, the linear decoder, and what is refused."""

from __future__ import annotations

import pytest
import torch

from underpaint.core.errors import ConfigError
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.models.vit import ViTEncoder, is_vit
from underpaint.records import Head


def config(encoder: str, architecture: str) -> ModelConfig:
    return ModelConfig.parse({"encoder": encoder, "architecture": architecture, "weights": "none", "width": 32})


@pytest.mark.parametrize(
    ("encoder", "architecture", "stride"),
    [("test_vit", "dpt", 2), ("test_vit", "linear", 4), ("vit_small_patch14_dinov2", "dpt", 2)],
)
def test_logits_and_tag_maps_have_their_grids_at_any_size(encoder: str, architecture: str, stride: int) -> None:
    torch.manual_seed(0)
    network = Network(config(encoder, architecture), 3, needs={Head.TAGS}).eval()
    with torch.inference_mode():
        for height, width in ((64, 96), (96, 64)):
            out = network(torch.randn(1, 3, height, width))
            assert out.logits.shape == (1, 3, height // stride, width // stride)
            assert out.tag_maps is not None
            assert out.tag_maps.shape == (1, 3, height // 16, width // 16)
            assert torch.isfinite(out.upsampled()).all()


def test_levels_are_those_of_timms_own_blocks() -> None:
    torch.manual_seed(0)
    encoder = ViTEncoder("test_vit", online=False).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        levels = encoder(image)
        every = encoder.model.forward_intermediates(image, intermediates_only=True)
    assert [level.shape[1] for level in levels] == encoder.out_channels
    for level, number in zip(levels[2:], encoder._indices, strict=True):
        torch.testing.assert_close(level, every[number])
    torch.testing.assert_close(levels[-1], every[-1])


@pytest.mark.parametrize(("name", "vit"), [("test_vit", True), ("resnet18", False), ("test_efficientnet", False)])
def test_transformers_are_told_from_other_encoders(name: str, vit: bool) -> None:
    assert is_vit(name) == vit


def test_encoder_and_decoder_that_do_not_fit_are_refused_with_the_way_on() -> None:
    with pytest.raises(ConfigError, match=r"resnet18 is no vision transformer(.|\n)*another architecture"):
        Network(config("resnet18", "dpt"), 3)
    with pytest.raises(ConfigError, match=r"test_vit(.|\n)*'dpt'"):
        Network(config("test_vit", "unet"), 3)
