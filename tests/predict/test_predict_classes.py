"""Masks of two class tables never lie in one folder, and what predict wrote says what its numbers stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint import evaluate
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.datasets.convert import plan_conversion
from underpaint.imagefiles.masks import read_index_mask
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor, predict_folder

TABLE = ClassTable.of(["=sky", "a", "b", "c", "background"])
TURNED = ClassTable.of(["background", "c", "b", "a", "=sky"])


def data_set(root: Path) -> Path:
    (root / "images").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "images/p.png")
    (root / "classes.txt").write_text("\n".join(TURNED.names))
    return root


def test_predictions_are_compared_and_converted_by_name(local: Network, tmp_path: Path) -> None:
    root = data_set(tmp_path / "data")
    predict_folder(Predictor(local, PredictConfig()), root, tmp_path / "out", TABLE)
    with Image.open(tmp_path / "out/p.png") as image:
        numbers = np.array(image)
    (root / "masks").mkdir()
    Image.fromarray(4 - numbers).save(root / "masks/p.png")  # the same classes, numbered from the other end
    assert evaluate(tmp_path / "out", root, split="all").scores.miou == 100
    (tmp_path / "out/summary.csv").unlink()
    assert evaluate(tmp_path / "out", root, split="all").scores.miou < 50  # without a list numbers are numbers
    (tmp_path / "out/classes.txt").write_text("\n".join(TABLE.names))
    assert evaluate(tmp_path / "out", root, split="all").scores.miou == 100
    plan_conversion(tmp_path / "out", to="masks").write(tmp_path / "again")
    np.testing.assert_array_equal(read_index_mask(tmp_path / "again/p.png", TURNED), 4 - numbers)


def test_a_folder_with_masks_of_other_classes_is_refused(local: Network, tmp_path: Path) -> None:
    root, predictor = data_set(tmp_path / "data"), Predictor(local, PredictConfig())
    predict_folder(predictor, root, tmp_path / "out", TABLE)
    before = (tmp_path / "out/p.png").read_bytes()
    with pytest.raises(DataError, match="holds masks of the classes =sky, a, b, c, background, and would get"):
        predict_folder(predictor, root, tmp_path / "out", TURNED)
    assert (tmp_path / "out/p.png").read_bytes() == before
    predict_folder(predictor, root, tmp_path / "out", TABLE)
