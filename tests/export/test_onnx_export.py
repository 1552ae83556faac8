import importlib.util
import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, DataError, RunError
from underpaint.export import ExportReport, OnnxForward, choose_forward, export_onnx, onnx_file
from underpaint.imagefiles.images import find_images, read_rgb
from underpaint.models.config import ModelConfig
from underpaint.models.inference import FullSize
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor

onnx: Any = pytest.importorskip("onnx")
onnxruntime: Any = pytest.importorskip("onnxruntime")

TABLE = ClassTable.of(["background", "<i>cat</i>", "鳥", *"abcd"])
TINY = ModelConfig(encoder="test_efficientnet", weights="none", width=32)
"""timm's encoder for tests: the operations of the default one, with 0.1 million parameters."""


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(TINY, len(TABLE)).eval()


@pytest.fixture(scope="module")
def exported(network: Network, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return export_onnx(network, tmp_path_factory.mktemp("export") / "new" / "network.onnx", classes=TABLE)


def test_the_file_is_complete_and_names_the_classes(exported: ExportReport) -> None:
    assert [path.name for path in exported.path.parent.iterdir()] == ["network.onnx"]
    model = onnx.load(exported.path, load_external_data=False)
    assert not any(onnx.external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer)
    held = {item.key: item.value for item in model.metadata_props}
    assert tuple(json.loads(held["classes"])) == TABLE.names
    assert json.loads(held["colours"]) == [list(colour) for colour in TABLE.colours]
    assert json.loads(held["background"]) == 0
    assert [(value.name, len(value.type.tensor_type.shape.dim)) for value in model.graph.input] == [("rgb", 4)]
    assert [value.name for value in model.graph.output] == ["logits"]


def test_the_report_says_how_close_it_is(exported: ExportReport) -> None:
    assert 0 < exported.max_difference < 1e-4
    assert exported.agreement > 0.999


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 3, 33, 47), (1, 3, 16, 200), (3, 3, 90, 64)])
def test_any_batch_and_size_gives_the_networks_logits(
    network: Network, exported: ExportReport, shape: tuple[int, ...]
) -> None:
    rgb = torch.rand(shape, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = FullSize(network)(rgb).numpy()
    session = onnxruntime.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    (seen,) = session.run(None, {"rgb": rgb.numpy()})
    np.testing.assert_allclose(seen, expected, atol=1e-4)


@pytest.mark.parametrize("scale", [1.5, 0.6])
def test_a_linear_decoder_at_a_scale_of_its_own_follows_the_size_of_the_image(tmp_path: Path, scale: float) -> None:
    torch.manual_seed(0)
    linear = Network(TINY.model_copy(update={"architecture": "linear", "scale": scale}), len(TABLE)).eval()
    report = export_onnx(linear, tmp_path / "network.onnx", classes=TABLE)
    session = onnxruntime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 1, 1), (1, 3, 70, 200), (2, 3, 33, 47)):
        rgb = torch.rand(shape, generator=torch.Generator().manual_seed(3))
        with torch.inference_mode():
            expected = FullSize(linear)(rgb).numpy()
        (seen,) = session.run(None, {"rgb": rgb.numpy()})
        np.testing.assert_allclose(seen, expected, atol=1e-3)


def test_photographs_get_the_same_mask(real_data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Network(ModelConfig(), len(TABLE)).eval()  # the default one: ImageNet weights, random head
    config = PredictConfig(flip=True)
    ours = Predictor(network, config)
    theirs = Predictor(network, config, forward=choose_forward(network, tmp_path, TABLE, engine="onnx"))
    same = []
    for path in list(find_images(real_data / "msrc21" / "images").values())[:2]:
        rgb = read_rgb(path)
        np.testing.assert_allclose(theirs.probabilities(rgb), ours.probabilities(rgb), atol=1e-4)
        same.append((theirs.index(rgb) == ours.index(rgb)).mean())
    assert np.mean(same) > 0.999


def test_a_network_in_training_stays_in_training(tmp_path: Path) -> None:
    network = Network(TINY.model_copy(update={"architecture": "fpn"}), len(TABLE)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    report = export_onnx(network, tmp_path / "network.onnx", classes=TABLE)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    with torch.inference_mode():  # the file speaks for the network in evaluation mode
        rgb = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(4))
        assert torch.allclose(OnnxForward(report.path)(rgb), FullSize(network)(rgb), atol=1e-4)


def test_a_difference_above_the_tolerance_leaves_no_file(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "OnnxForward", lambda content: lambda rgb: OnnxForward(content)(rgb) + 0.0011)
    with pytest.raises(RunError, match=r"logits differ by 0\.0011; the same class at 100\.00% of the pixels"):
        export_onnx(network, tmp_path / "network.onnx", classes=TABLE)
    assert not list(tmp_path.iterdir())


def test_logits_that_are_not_finite_leave_no_file(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "OnnxForward", lambda content: lambda rgb: OnnxForward(content)(rgb) * torch.nan)
    with pytest.raises(RunError, match="logits differ by nan"):
        export_onnx(network, tmp_path / "network.onnx", classes=TABLE)
    assert not list(tmp_path.iterdir())


def test_a_class_table_of_another_length_is_an_error(network: Network, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 classes for a network of 7"):
        export_onnx(network, tmp_path / "network.onnx", classes=ClassTable.of(["a", "b"]))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_its_installation(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"{package} is needed[\s\S]*pip install underpaint\[export\]"):
        export_onnx(network, tmp_path / "network.onnx", classes=TABLE)


def test_a_file_that_is_no_network_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "network.onnx").write_bytes(b"no network")
    with pytest.raises(RunError, match="ONNX Runtime cannot load"):
        OnnxForward(tmp_path / "network.onnx")


def test_the_exported_file_is_kept_and_found_again(network: Network, tmp_path: Path) -> None:
    assert isinstance(choose_forward(network, tmp_path, TABLE), OnnxForward)
    (path,) = tmp_path.iterdir()
    first = path.stat().st_mtime_ns
    assert isinstance(choose_forward(network, tmp_path, TABLE, engine="onnx"), OnnxForward)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mtime_ns == first
    path.write_bytes(path.read_bytes()[:1000])
    forward = choose_forward(network, tmp_path, TABLE)
    assert isinstance(forward, OnnxForward)
    assert forward(torch.rand(1, 3, 16, 16)).shape == (1, len(TABLE), 16, 16)
    assert path.stat().st_size > 1e5


def test_other_weights_or_classes_are_another_file(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def note(network: Network, path: Path, *, classes: ClassTable) -> None:
        asked.append(path.name)
        raise DataError("noted")

    monkeypatch.setattr("underpaint.export.engine.export_onnx", note)
    other = Network(TINY, len(TABLE)).eval()
    renamed = ClassTable.of(["x", *TABLE.names[1:]])
    for each, table in ((network, TABLE), (other, TABLE), (network, renamed), (network, TABLE)):
        assert choose_forward(each, tmp_path, table) is None
    assert len(set(asked)) == 3
    assert asked[0] == asked[3]


def test_auto_falls_back_on_torch_and_says_so(
    network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert choose_forward(network, tmp_path / "file" / "export", TABLE) is None
    assert "predicting with torch" in caplog.text
    with pytest.raises(DataError, match="could not be written"):
        choose_forward(network, tmp_path / "file" / "export", TABLE, engine="onnx")


def test_torch_and_missing_packages_need_no_export(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_forward(network, tmp_path, TABLE, engine="torch") is None
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    assert choose_forward(network, tmp_path, TABLE) is None
    assert not list(tmp_path.iterdir())


def test_onnx_on_another_device_is_an_error(tmp_path: Path) -> None:
    network = Network(TINY, len(TABLE)).to("meta")
    assert choose_forward(network, tmp_path, TABLE) is None
    with pytest.raises(ConfigError, match="run on meta"):
        choose_forward(network, tmp_path, TABLE, engine="onnx")
