"""The network: shapes, heads, what is frozen, and what is refused."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from underpaint.core.errors import ConfigError
from underpaint.models.config import Architecture, ModelConfig
from underpaint.models.network import DIVISOR, Network
from underpaint.records import Batch, Head

CLASSES = 5


def network(*needs: Head, classes: int = CLASSES, **settings: Any) -> Network:
    torch.manual_seed(0)
    config = ModelConfig.parse({"width": 32, "weights": "none"} | settings)
    return Network(config, classes, needs=frozenset(needs))


@cache
def image(height: int = 64, width: int = 96) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_without_needs_there_are_logits_alone() -> None:
    made = network().eval()
    out = made(image())
    assert (out.logits.shape, out.size) == ((2, CLASSES, 16, 24), (64, 96))
    assert out.upsampled().shape == (2, CLASSES, 64, 96)
    assert [out.tag_logits, out.features, out.variance, out.embedding] == [None] * 4
    assert {name.split(".")[0] for name in made.state_dict()} == {"encoder", "decoder", "head"}


def test_a_classifier_leaves_the_decoder_out_and_alone() -> None:
    """Its tag scores are those of the whole network, and no gradient reaches what it leaves out."""
    torch.manual_seed(0)
    config = ModelConfig(width=32, weights="none")
    made = Network(config, CLASSES, needs={Head.TAGS}, decodes=False)
    whole = Network(config, CLASSES, needs={Head.TAGS})
    whole.load_state_dict(made.state_dict())
    made.eval(), whole.eval()
    out = made(image())
    assert out.logits.shape == (2, CLASSES, 1, 1)
    assert not out.logits.any()
    assert torch.equal(out.tag_logits, whole(image()).tag_logits)
    (out.tag_logits.sum() + out.logits.sum()).backward()
    left = {name.split(".")[0] for name, parameter in made.named_parameters() if parameter.requires_grad}
    assert left == {"encoder", "top", "tag_head"}


@pytest.mark.parametrize("head", Head)
def test_each_need_fills_its_output_and_no_other(head: Head) -> None:
    out = network(head).eval()(image())
    given = {
        Head.TAGS: out.tag_logits,
        Head.FEATURES: out.features,
        Head.VARIANCE: out.variance,
        Head.EMBEDDING: out.embedding,
    }
    shapes = {name: None if value is None else tuple(value.shape) for name, value in given.items()}
    wanted = {
        Head.TAGS: (2, CLASSES),
        Head.FEATURES: (2, 320, 4, 6),  # lite0's last layer, at the output stride of 16
        Head.VARIANCE: (2, 1, 16, 24),
        Head.EMBEDDING: (2, 32, 16, 24),
    }
    assert shapes == {name: wanted[name] if name is head else None for name in Head}


def test_heads_of_all_kinds_at_once() -> None:
    made = network(*Head).eval()
    out = made(image())
    assert out.tag_logits is not None
    assert out.features is not None
    assert out.variance is not None
    # Global average pooling and a linear layer without bias: the tag scores are means of the class activation maps.
    assert made.top is not None
    wide = made.top(out.features)
    maps = torch.einsum("nfhw,cf->nchw", wide, made.state_dict()["tag_head.weight"].flatten(1))
    torch.testing.assert_close(out.tag_logits, maps.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5)
    assert (out.variance > 0).all()
    # A seed draws the same weights with any heads, so that methods can be compared from one start.
    assert torch.equal(out.logits, network().eval()(image()).logits)


def test_variance_stays_positive_and_starts_near_a_tenth() -> None:
    made = network(Head.VARIANCE).eval()
    head = made.variance_head
    assert head is not None
    assert head.bias is not None
    for bias, low, high in ((0.0, 0.0999, 0.1004), (-20.0, 1e-11, 1e-8), (20.0, 17.7, 17.8)):
        with torch.no_grad():
            head.weight.zero_()
            head.bias.fill_(bias)
            variance = made(image()).variance
        assert low < variance.min() <= variance.max() < high


@pytest.mark.parametrize(("architecture", "stride"), [("deeplabv3plus", 4), ("fpn", 4), ("unet", 1)])
def test_strides_and_divisors(architecture: Architecture, stride: int) -> None:
    made = network(architecture=architecture, classes=3).eval()
    divisor = DIVISOR[architecture]
    assert made.divisor == divisor
    with torch.inference_mode():
        out = made(image(2 * divisor, 3 * divisor))
    assert out.logits.shape == (2, 3, 2 * divisor // stride, 3 * divisor // stride)
    for height, width in ((2 * divisor + 8, 2 * divisor), (2 * divisor, divisor // 2)):
        with pytest.raises(ConfigError, match=rf"{height}x{width} pixels\n.*multiples of {divisor}"):
            made(image(height, width))


def test_batch_goes_in_normalised() -> None:
    made = network().eval()
    # timm's settings of the encoder; Google's release subtracts 127 and divides by 128.
    assert made.mean.tolist() == pytest.approx([0.5] * 3)
    assert made.std.tolist() == pytest.approx([0.5] * 3)
    valid = torch.ones(2, 64, 96, dtype=torch.bool)
    valid[:, 40:] = False
    batch = Batch(
        rgb=image().sigmoid() * valid[:, None],
        valid=valid,
        candidates=torch.zeros(2, 64, 96, dtype=torch.uint8),
        sets=torch.ones(2, 1, CLASSES, dtype=torch.bool),
        tags=torch.zeros(2, CLASSES, dtype=torch.bool),
        tags_known=torch.zeros(2, CLASSES, dtype=torch.bool),
        boxes=(torch.zeros(0, 4),) * 2,
        box_classes=(torch.zeros(0, dtype=torch.long),) * 2,
        ids=("a", "b"),
        mean=made.mean,
        std=made.std,
    )
    with torch.inference_mode():
        torch.testing.assert_close(made.on(batch).logits, made(batch.image).logits, rtol=1e-4, atol=1e-4)


def norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    return [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]


@pytest.mark.parametrize("frozen", [True, False])
def test_batch_norm_of_the_encoder_stays_as_it_was(frozen: bool) -> None:
    made = network(freeze_batch_norm=frozen).train()
    assert len(norms(made.encoder)) > 20
    assert {norm.training for norm in norms(made.encoder)} == {not frozen}
    assert {parameter.requires_grad for norm in norms(made.encoder) for parameter in norm.parameters()} == {not frozen}
    assert all(norm.training for norm in norms(made.decoder)), "the decoder's are random and must learn"
    before = [norm.running_mean.clone() for norm in norms(made.encoder) if norm.running_mean is not None]
    made(image()).logits.sum().backward()
    after = [norm.running_mean for norm in norms(made.encoder) if norm.running_mean is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)) == frozen
    assert made.eval().training is False
    assert not any(norm.training for norm in norms(made))
    assert {norm.training for norm in norms(made.train().encoder)} == {not frozen}


PARTS = {
    "tf_efficientnet_lite0": {0: (), 2: ("conv_stem.", "bn1.", "blocks.0."), 4: ("blocks.1.",), 8: ("blocks.2.",)},
    "resnet18": {0: (), 2: ("conv1.", "bn1."), 4: ("layer1.",), 8: ("layer2.",)},
    "convnext_atto": {0: (), 2: (), 4: ("stem_0.", "stem_1.", "stages_0."), 8: ("stages_1.",)},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of random weights under timm's names."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    paths = {name: folder / f"{name}.safetensors" for name in PARTS}
    for name, path in paths.items():
        save_file(timm.create_model(name).state_dict(), path)
    return paths


@pytest.mark.parametrize("encoder", PARTS)
@pytest.mark.parametrize("stride", [0, 2, 4, 8])
def test_layers_up_to_a_stride_are_frozen(weights: dict[str, Path], encoder: str, stride: int) -> None:
    made = network(encoder=encoder, weights=str(weights[encoder]), freeze_to=stride, freeze_batch_norm=False)
    held = tuple(prefix for upto, prefixes in PARTS[encoder].items() if upto <= stride for prefix in prefixes)
    for name, parameter in made.encoder.model.named_parameters():
        assert parameter.requires_grad != name.startswith(held or ("none",)), name
    assert all(parameter.requires_grad for part in (made.decoder, made.head) for parameter in part.parameters())


def test_random_encoders_are_not_frozen() -> None:
    assert all(parameter.requires_grad for parameter in network(freeze_to=8).parameters())


@pytest.mark.parametrize("encoder", ["resnet18", "convnext_atto"])
def test_weights_from_a_file_under_timms_names(weights: dict[str, Path], encoder: str) -> None:
    """Also where timm's feature extractor renames the layers."""
    made = network(encoder=encoder, weights=str(weights[encoder]), architecture="fpn").eval()
    timms: Any = timm.create_model(encoder)
    timms.load_state_dict(load_file(weights[encoder]))
    with torch.inference_mode():
        expected = timms.eval().forward_intermediates(image(), intermediates_only=True)[-1]
        torch.testing.assert_close(made.encoder(image())[-1], expected, rtol=1e-4, atol=1e-4)


def test_weights_that_do_not_fit(weights: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tensors of resnet18 are not in the weights, conv1\.weight among them"):
        network(encoder="resnet18", weights=str(weights["tf_efficientnet_lite0"]))
    with pytest.raises(
        ConfigError, match=r"conv1\.weight is \(65, 3, 7, 7\) instead of \(64, 3, 7, 7\)\n.*model\.weights"
    ):
        network(encoder="resnet18", weights=str(grown("resnet18", tmp_path)))
    with pytest.raises(ConfigError, match=r"no such weights: .*none\.safetensors\n.*\n.*accepted: auto, none or"):
        network(weights=str(tmp_path / "none.safetensors"))
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(ConfigError, match=r"cut, damaged, or no safetensors file: .*text\.safetensors"):
        network(weights=str(tmp_path / "text.safetensors"))


def grown(encoder: str, folder: Path) -> Path:
    """Every tensor of an encoder with one more value along its first axis."""
    state = {name: value for name, value in timm.create_model(encoder).state_dict().items() if value.ndim}
    path = folder / "grown.safetensors"
    wider = {name: value.new_zeros((len(value) + 1, *value.shape[1:])) for name, value in state.items()}
    counters = {name: torch.tensor(0) for name in timm.create_model(encoder).state_dict() if name not in state}
    save_file(wider | counters, path)
    return path


def test_unknown_encoder_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no encoder 'resnet_18'\n.*model\.encoder\n.*did you mean 'resnet18'"):
        network(encoder="resnet_18")


@pytest.mark.parametrize(("encoder", "architecture"), [("mixer_b16_224", "unet"), ("mixer_b16_224", "deeplabv3plus")])
def test_encoders_that_the_decoder_cannot_use(encoder: str, architecture: Architecture) -> None:
    with pytest.raises(ConfigError, match=rf"{encoder} cannot be the encoder of {architecture}: .+\n.*\n.*choose"):
        network(encoder=encoder, architecture=architecture)


def test_weights_that_the_hub_does_not_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **settings: Any) -> None:
        assert settings["encoder_weights"] == "imagenet"
        raise OSError("no route to host")

    monkeypatch.setattr("underpaint.models.network.smp.create_model", offline)
    with pytest.raises(ConfigError, match=r"resnet18 could not be loaded from the hub: no route to host\n(.|\n)*lite0"):
        network(encoder="resnet18", weights="auto")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"architecture": "segformer"}, "deeplabv3plus"),
        ({"width": 100}, "multiple of 32"),
        ({"width": 0}, "must be 32 or more"),
        ({"freeze_to": 3}, "0, 2, 4 or 8"),
        ({"scale": "big"}, r"must be auto or a number from 0.1 to 4 \(got 'big'\)"),
        ({"scale": 10**400}, "must be auto or a number from 0.1 to 4"),
        ({"scale": [1]}, "must be auto or a number from 0.1 to 4"),
        ({"encodr": "resnet18"}, "did you mean 'encoder'"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ModelConfig.parse(settings)
