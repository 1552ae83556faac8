"""Label images among the photographs: ``x_mask.png`` of medical sets and of Roboflow, and folders of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from underpaint.core.errors import DataError
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.imagefiles.images import find_images, stream_images

NOISE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
MASK = np.repeat(np.repeat(np.array([[0, 1, 2]], np.uint8), 20, axis=0), 10, axis=1)
ROBOFLOW = "Pixel Value, Class\n0, background\n2, cat\n1, dog\n"


def photograph(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(NOISE).save(path)


def mask(path: Path, values: npt.NDArray[np.uint8] = MASK) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def classes(root: Path) -> None:
    (root / "classes.txt").write_text("background\ncat\ndog\n")


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("x.png", "x_mask.png"),
        ("x.jpg", "x_mask.png"),
        ("x.jpg", "x.mask.0.png"),
        ("x.jpg", "x_seg.tif"),
        ("x.jpg", "x_Segmentation.PNG"),
        ("benign (1).png", "benign (1)_mask.png"),
        ("images/x.jpg", "images/x_mask.png"),
        ("images/x.jpg", "masks/x_mask.png"),
        ("images/x.jpg", "masks/x-label.png"),
        ("x.jpg", "masks/x.png"),
        ("x.jpg", "gt/x_gt.png"),
        ("train/images/x.jpg", "train/masks/x.png"),
        ("train/x.jpg", "train/masks/x_mask.png"),
    ],
)
def test_a_label_image_belongs_to_its_photograph(image: str, label: str, tmp_path: Path) -> None:
    photograph(tmp_path / image)
    mask(tmp_path / label)
    classes(tmp_path)
    data = open_dataset(tmp_path)
    (name,) = data.images
    assert data.images[name] == tmp_path / image
    assert data.masks == {name: tmp_path / label}
    assert np.array_equal(data.mask(name).read(data.classes), MASK)


@pytest.mark.parametrize("folder", ["", "images/", "masks/"])
def test_of_two_label_images_for_one_photograph_none_is_taken(folder: str, tmp_path: Path) -> None:
    photograph(tmp_path / ("images/x.png" if folder else "x.png"))
    for label in ("x_mask.png", "x_mask_1.png"):
        mask(tmp_path / folder / label)
    classes(tmp_path)
    data = open_dataset(tmp_path)
    assert list(data.images) == ["x"]
    with pytest.raises(DataError, match=r"x_mask.png, x_mask_1.png all look like the mask of x: join them"):
        data.require_masks(["x"])


def test_an_exact_name_goes_before_a_marked_one(tmp_path: Path) -> None:
    photograph(tmp_path / "images/x.png")
    mask(tmp_path / "masks/x.png")
    mask(tmp_path / "masks/x_mask.png", MASK[:, ::-1])
    classes(tmp_path)
    data = open_dataset(tmp_path)
    assert data.masks["x"] == tmp_path / "masks/x.png"
    assert sorted(data.masks) == ["x", "x_mask"]


def test_roboflow_numbers_its_classes_in_a_table_and_another_split_may_number_them_otherwise(tmp_path: Path) -> None:
    for split, table in (("train", ROBOFLOW), ("valid", ROBOFLOW.replace("2, cat\n1, dog", "1, cat\n2, dog"))):
        photograph(tmp_path / split / f"{split}_jpg.rf.0123456789abcdef.jpg")
        mask(tmp_path / split / f"{split}_jpg.rf.0123456789abcdef_mask.png")
        (tmp_path / split / "_classes.csv").write_text(table)
    data = open_dataset(tmp_path)
    assert data.classes.names == ("background", "cat", "dog")
    assert {split: len(names) for split, names in data.splits.items()} == {"train": 1, "val": 1}
    read = {name.split("/")[0]: data.mask(name).read(data.classes)[0, ::10].tolist() for name in data.images}
    assert read == {"train": [0, 2, 1], "valid": [0, 1, 2]}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("Pixel Value, Class\n", "there are none"),
        ("Pixel Value, Class\n0, background\n0, cat\n", "is repeated"),
        ("Pixel Value, Class\nx, background\n", "the row is 'x, background'"),
        ("Pixel Value, Class\n0\n", "the row is '0'"),
    ],
)
def test_a_table_of_numbers_that_says_nothing_is_refused(table: str, message: str, tmp_path: Path) -> None:
    photograph(tmp_path / "train/x.jpg")
    mask(tmp_path / "train/x_mask.png")
    (tmp_path / "train/_classes.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


def test_without_a_class_list_the_label_images_are_named(tmp_path: Path) -> None:
    photograph(tmp_path / "x.png")
    mask(tmp_path / "x_mask.png")
    with pytest.raises(DataError, match=r"1 label images are in the folders of the photographs \(x_mask.png\)"):
        open_dataset(tmp_path)


def test_where_hints_are_learned_from_the_label_images_are_no_photographs_and_this_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photograph(tmp_path / "images/x.png")
    mask(tmp_path / "images/x_mask.png")
    (tmp_path / "tags.csv").write_text("image,cat,dog\nx,1,0\n")
    data = open_dataset(tmp_path, hints=[tmp_path / "tags.csv"])
    assert list(data.images) == ["x"]
    assert not data.masks
    assert "x_mask.png" in caplog.text


@pytest.mark.parametrize("name", ["jar_label.png", "face_mask.jpg"])
def test_a_photograph_of_a_mask_is_a_photograph(name: str, tmp_path: Path) -> None:
    photograph(tmp_path / name.replace("_label", "").replace("_mask", ""))
    photograph(tmp_path / name)
    assert len(find_images(tmp_path)) == len(list(stream_images(tmp_path))) == 2


def test_images_that_are_streamed_lack_the_same_label_images(tmp_path: Path) -> None:
    photograph(tmp_path / "a/x.JPG")
    mask(tmp_path / "a/x-mask.png")
    photograph(tmp_path / "y_mask.png")
    assert sorted(stream_images(tmp_path)) == sorted(find_images(tmp_path).items())
    assert sorted(find_images(tmp_path)) == ["a/x", "y_mask"]


def test_label_images_as_hints_may_have_marked_names(tmp_path: Path) -> None:
    for name in ("x", "y", "z"):
        photograph(tmp_path / "data/images" / f"{name}.png")
    classes(tmp_path / "data")
    data = open_dataset(tmp_path / "data")
    for name in ("x_scribble.png", "y.png", "y_mask.png", "z_mask_1.png", "z_mask_2.png"):
        mask(tmp_path / "strokes" / name)
    found, report = read_any_hints(tmp_path / "strokes", data)
    assert sorted(found) == ["x", "y"]
    assert found["y"].mask == str(tmp_path / "strokes/y.png")
    assert sorted(report.missing) == ["y_mask", "z_mask_1", "z_mask_2"]
