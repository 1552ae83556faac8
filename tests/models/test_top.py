"""The wide features of a classifier are those of timm's whole model; networks without them stay as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.models.top import Top
from underpaint.records import Head

TAGS = frozenset({Head.TAGS})
TINY = {"encoder": "test_efficientnet", "width": 32, "architecture": "linear"}


def network(encoder_state: Path | str, **more: object) -> Network:
    return Network(ModelConfig.parse({**TINY, "weights": str(encoder_state), **more}), 3, needs=TAGS).eval()


def test_tag_maps_work_on_what_the_whole_model_averages(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = timm.create_model("test_efficientnet").eval()
    save_file(whole.state_dict(), tmp_path / "encoder.safetensors")
    made = network(tmp_path / "encoder.safetensors")
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        wide = whole.forward_features(image)  # type: ignore[operator]  # timm says Tensor or Module
        assert made.tag_head is not None
        assert made.top is not None
        assert made.top.width == wide.shape[1] > made.encoder.out_channels[-1]
        torch.testing.assert_close(made.wide(made.encode(image)[-1]), wide)
        torch.testing.assert_close(made.pooled(image), wide.mean(dim=(2, 3)))
        torch.testing.assert_close(made.tag_maps(image), made.tag_head(wide))
        torch.testing.assert_close(made(image).tag_logits, made.tag_head(wide).mean(dim=(2, 3)))


def test_weights_without_these_layers_leave_the_heads_on_the_deepest_features(tmp_path: Path) -> None:
    state = timm.create_model("test_efficientnet").state_dict()
    save_file({k: v for k, v in state.items() if not k.startswith(("conv_head", "bn2"))}, tmp_path / "e.safetensors")
    made = network(tmp_path / "e.safetensors")
    assert made.top is None
    assert made.tag_head is not None
    assert made.tag_head.in_channels == made.encoder.out_channels[-1]


@pytest.mark.parametrize("widened", [True, False])
def test_a_file_of_weights_says_whether_its_heads_are_on_wide_features(tmp_path: Path, widened: bool) -> None:
    config = ModelConfig.parse({**TINY, "weights": "none"})
    made = Network(config, 3, needs=TAGS, widened=widened).eval()
    save_file(made.state_dict(), tmp_path / "w.safetensors")
    again = Network.of_weights(config, 3, tmp_path / "w.safetensors", field=None)
    assert (again.top is not None) == widened
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(again.tag_maps(image), made.tag_maps(image))


def test_an_encoder_whose_deepest_features_are_averaged_has_none() -> None:
    assert Top.of("resnet18", online=False) is None
