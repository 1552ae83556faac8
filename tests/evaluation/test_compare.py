"""A folder of masks against a split: the numbers, their JSON, and every way in which a folder can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.datasets.folder import DataFolder, open_folder
from underpaint.evaluation.boundary import boundary_counts, boundary_scores
from underpaint.evaluation.compare import Evaluation, ImageScore, evaluate_folder
from underpaint.evaluation.confusion import Mask, scores
from underpaint.imagefiles.masks import write_index_mask

TABLE = ClassTable.of(["background", "cat", "dog", "eel"])
TRUTHS: dict[str, Mask] = {
    "a": np.array([[0, 0, 1], [0, 1, 1]], np.uint8),
    "deep/b": np.array([[2, 2], [2, 255]], np.uint8),
    "c": np.full((2, 2), 255, np.uint8),
}
PREDICTIONS: dict[str, Mask] = {
    "a": np.array([[0, 0, 1], [0, 0, 1]], np.uint8),
    "deep/b": np.array([[2, 3], [0, 1]], np.uint8),
    "c": np.zeros((2, 2), np.uint8),
}


def save(folder: Path, masks: dict[str, Mask]) -> None:
    for name, mask in masks.items():
        write_index_mask(folder / f"{name}.png", mask, TABLE)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    root = tmp_path / "data"
    save(root / "masks", TRUTHS)
    for name, mask in TRUTHS.items():
        path = root / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", mask.shape[::-1]).save(path)
    (root / "splits").mkdir()
    (root / "splits" / "test.txt").write_text("deep/b\na\nc\n")
    (root / "splits" / "void.txt").write_text("c\n")
    (root / "classes.txt").write_text("\n".join(TABLE.names))
    return open_folder(root)


@pytest.fixture
def result(tmp_path: Path, data: DataFolder) -> Evaluation:
    save(tmp_path / "out", PREDICTIONS)
    return evaluate_folder(tmp_path / "out", data, "test", workers=2)


def test_scores_are_pooled_over_the_split(result: Evaluation) -> None:
    # background: 3 right, 1 + 1 called so in error: 3/5. cat: 2 of 3: 2/3. dog: 1 of 3: 1/3. eel: never true.
    matrix = np.array([[3, 0, 0, 0], [1, 2, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(result.matrix, matrix)
    assert result.scores == scores(matrix)
    assert result.scores.miou == pytest.approx(100 * (3 / 5 + 2 / 3 + 1 / 3) / 3)
    assert result.scores.absent == (3,)
    bands = sum(boundary_counts(TRUTHS[name], PREDICTIONS[name], 4) for name in TRUTHS)
    assert not isinstance(bands, int)
    assert result.boundary == boundary_scores(bands)


def test_each_image_has_its_own_score_and_the_worst_come_first(result: Evaluation) -> None:
    first, second, third = result.images
    assert [image.name for image in result.images] == ["deep/b", "a", "c"]
    assert (first.miou, first.pixel_accuracy) == pytest.approx((100 / 3, 100 / 3))
    assert (second.miou, second.pixel_accuracy) == pytest.approx((100 * (3 / 4 + 2 / 3) / 2, 500 / 6))
    assert third == ImageScore("c", None, None)
    assert [image.name for image in result.worst(5)] == ["deep/b", "a"]
    assert len(result.worst(1)) == 1


def test_json_form(result: Evaluation) -> None:
    form = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert form["miou"] == result.scores.miou
    assert form["boundary_iou"] == result.boundary.mean
    assert form["absent"] == ["eel"]
    assert form["classes"][1] == {
        "name": "cat",
        "iou": pytest.approx(200 / 3),
        "recall": pytest.approx(200 / 3),
        "precision": 100.0,
        "boundary_iou": result.boundary.iou[1],
        "pixels": 3,
    }
    assert form["classes"][3]["iou"] is None
    assert form["images"][2] == {"name": "c", "miou": None, "pixel_accuracy": None}
    assert form["confusion"][2] == [1, 0, 1, 1]
    assert "left out of the means" in form["protocol"]


def test_the_number_of_workers_changes_nothing(tmp_path: Path, data: DataFolder, result: Evaluation) -> None:
    again = evaluate_folder(tmp_path / "out", data, "test", workers=1)
    assert again.to_json() == result.to_json()


def test_missing_predictions_are_counted_and_named(tmp_path: Path, data: DataFolder) -> None:
    save(tmp_path / "out", {"a": PREDICTIONS["a"]})
    with pytest.raises(DataError, match=r"2 of the 3 images of split 'test' have no predicted mask: deep/b, c"):
        evaluate_folder(tmp_path / "out", data, "test", workers=1)


def test_another_size_is_refused_with_both_sizes(tmp_path: Path, data: DataFolder) -> None:
    save(tmp_path / "out", {**PREDICTIONS, "a": np.zeros((4, 6), np.uint8)})
    with pytest.raises(DataError, match=r"the prediction is 6 x 4 pixels, the ground truth 3 x 2") as error:
        evaluate_folder(tmp_path / "out", data, "test", workers=2)
    assert str(tmp_path / "out" / "a.png") in str(error.value)


def test_a_number_outside_the_table_is_refused(tmp_path: Path, data: DataFolder) -> None:
    save(tmp_path / "out", PREDICTIONS)
    Image.fromarray(np.full((2, 3), 38, np.uint8)).save(tmp_path / "out" / "a.png")
    with pytest.raises(DataError, match="38"):
        evaluate_folder(tmp_path / "out", data, "test", workers=2)


def test_void_in_a_prediction_where_the_truth_is_known_is_refused(tmp_path: Path, data: DataFolder) -> None:
    save(tmp_path / "out", {**PREDICTIONS, "a": np.array([[0, 0, 1], [0, 255, 1]], np.uint8)})
    with pytest.raises(DataError, match=r"the prediction has values outside the class table: 255 \(1 pixels\)"):
        evaluate_folder(tmp_path / "out", data, "test", workers=2)


def test_ground_truth_must_be_there(tmp_path: Path, data: DataFolder) -> None:
    save(tmp_path / "out", PREDICTIONS)
    without = DataFolder(data.root, data.classes, data.images, {}, data.splits)
    with pytest.raises(DataError, match="3 of 3 images have no mask"):
        evaluate_folder(tmp_path / "out", without, "test", workers=1)


def test_a_split_of_void_alone_has_no_score(tmp_path: Path, data: DataFolder) -> None:
    save(tmp_path / "out", PREDICTIONS)
    with pytest.raises(DataError, match="every pixel of the ground truth is void"):
        evaluate_folder(tmp_path / "out", data, "void", workers=1)


def test_no_folder_of_masks(tmp_path: Path, data: DataFolder) -> None:
    with pytest.raises(DataError, match="the folder is missing"):
        evaluate_folder(tmp_path / "nowhere", data, "test", workers=1)
