"""Every verb that writes: what a person made is never replaced."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from underpaint import convert, demo, gap, plan, simulate
from underpaint.core.classes import ClassTable
from underpaint.core.errors import UnderpaintError
from underpaint.export import export_onnx
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor, draw_responses, draw_uncertainty, predict_folder

TABLE = ClassTable.of([f"class {i}" for i in range(6)])


def small_network() -> Network:
    torch.manual_seed(0)
    return Network(ModelConfig(weights="none", architecture="fpn", width=32), len(TABLE))


def _masks(data: Path, out: Path) -> None:
    predict_folder(Predictor(small_network(), PredictConfig(engine="torch")), data / "images", out, TABLE)


def _probabilities(data: Path, out: Path) -> None:
    predictor = Predictor(small_network(), PredictConfig(engine="torch"))
    predict_folder(predictor, data / "images", out, TABLE, probabilities=True)


def _responses(data: Path, out: Path) -> None:
    draw_responses(None, data / "images", out, TABLE)  # type: ignore[arg-type]  # refused before it looks


def _doubts(data: Path, out: Path) -> None:
    draw_uncertainty(None, data / "images", out)  # type: ignore[arg-type]  # refused before it looks


def _train(data: Path, out: Path) -> None:
    plan(data, method="supervised").train(out)


def _train_on(data: Path, out: Path) -> None:
    plan(data, method="supervised").train(out, resume=True)


FOLDERS: list[Callable[[Path, Path], object]] = [
    _masks,
    _probabilities,
    _responses,
    _doubts,
    _train,
    _train_on,
    lambda data, out: gap(data, out),
    lambda data, out: demo(out),
    lambda data, out: convert(data, out, to="masks"),
    lambda data, out: convert(data, out, to="labelme"),
    lambda data, out: convert(data, out, to="yolo"),
]
FILES: list[Callable[[Path, Path], object]] = [
    lambda data, out: simulate(data, out, kind="scribbles"),
    lambda data, out: convert(data, out, to="coco"),
    lambda data, out: convert(data, out, to="underpaint"),
]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def data(scenes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scenes, tmp_path / "data"))


@pytest.mark.parametrize("verb", FOLDERS)
@pytest.mark.parametrize("out", [".", "masks", "splits", "deep"])
def test_no_folder_of_a_person_is_written_into(data: Path, verb: Callable[[Path, Path], object], out: str) -> None:
    (data / "deep" / "masks" / "partial-0").mkdir(parents=True)
    (data / "deep" / "masks" / "partial-0" / "train-0000.png").write_bytes(b"drawn by hand")
    before = contents(data)
    with pytest.raises(UnderpaintError):
        verb(data, data / out)
    assert contents(data) == before


@pytest.mark.parametrize("verb", FILES)
@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_no_file_of_a_person_is_replaced(data: Path, verb: Callable[[Path, Path], object], ending: str) -> None:
    out = data / f"mine{ending}"
    out.write_bytes(b"an hour of work")
    with pytest.raises(UnderpaintError):
        verb(data, out)
    assert out.read_bytes() == b"an hour of work"


def test_an_export_replaces_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"an hour of work")
    with pytest.raises(UnderpaintError, match="another file or folder with this name"):
        export_onnx(small_network().eval(), tmp_path / "mine.onnx", classes=TABLE)
    assert (tmp_path / "mine.onnx").read_bytes() == b"an hour of work"


def test_predicting_again_goes_on_and_a_corrected_mask_stops_it(data: Path) -> None:
    out = data / "predicted"
    _masks(data, out)
    _masks(data, out)
    corrected = out / "train-0000.png"
    corrected.write_bytes((data / "masks" / "train-0000.png").read_bytes())
    before = contents(data)
    with pytest.raises(UnderpaintError, match=r"changed since: train-0000\.png"):
        _masks(data, out)
    assert contents(data) == before


def test_a_simulation_with_another_seed_asks_for_another_name(data: Path) -> None:
    out = data / "hints.jsonl"
    simulate(data, out, kind="clicks", seed=0)
    first = out.read_bytes()
    simulate(data, out, kind="clicks", seed=0)
    with pytest.raises(UnderpaintError, match="another file or folder with this name"):
        simulate(data, out, kind="clicks", seed=1)
    assert out.read_bytes() == first
