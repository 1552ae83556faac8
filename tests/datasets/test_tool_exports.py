"""Exports of annotation tools beside their photographs, as a user drops them into one folder: opened and read whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.annotations.cityscapes import CLASSES
from underpaint.annotations.cvat import write_cvat
from underpaint.annotations.geojson import write_geojson
from underpaint.annotations.label_studio import write_label_studio
from underpaint.core.errors import FormatError
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.types import Hints, Polygon
from underpaint.imagefiles.naming import Names

SIZE = (6, 8)
SQUARE = ((1.0, 1.0), (5.0, 1.0), (5.0, 4.0), (1.0, 4.0))
HINTS = [
    Hints("a", SIZE, shapes=(Polygon("cat", SQUARE), Polygon("dog", SQUARE[:3]))),
    Hints("b", SIZE, shapes=(Polygon("dog", SQUARE),)),
]


def photograph(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(path)


def upload(image: str) -> str:
    return f"/data/upload/7/1a2b3c4d-{image}.png"


def subset(image: str) -> str:
    return f"train/{image}.png"


@pytest.mark.parametrize(
    "write",
    [
        lambda root: write_label_studio(root / "project-1-at-2026.json", HINTS, file=upload),
        lambda root: write_cvat(root / "annotations.xml", HINTS, classes=["cat", "dog"], file=subset),
        lambda root: write_geojson(root / "annotations", HINTS, file=lambda image: f"{image}.png"),
    ],
    ids=["label-studio", "cvat", "geojson"],
)
def test_an_export_and_its_photographs_are_a_data_set(tmp_path: Path, write: Callable[[Path], None]) -> None:
    for name in ("a", "b", "c"):
        photograph(tmp_path / "images" / f"{name}.png")
    write(tmp_path)
    data = open_dataset(tmp_path)
    assert set(data.classes.names) == {"background", "cat", "dog"}
    assert list(data.images) == ["a", "b", "c"]
    found, report = read_any_hints(data.annotations, data)
    assert {name: hints.regions for name, hints in found.items()} == {one.image: one.regions for one in HINTS}
    assert not report.missing


def test_the_download_of_cityscapes_is_a_data_set(tmp_path: Path) -> None:
    names = [f"{split}/x/x_000000_00000{i}_leftImg8bit" for i, split in enumerate(("train", "train", "val"))]
    for name in names:
        photograph(tmp_path / "leftImg8bit" / f"{name}.png")
    for name in names:
        for kind, road, void in (("labelIds", 7, 0), ("labelTrainIds", 0, 255)):
            file = tmp_path / "gtFine" / f"{name.removesuffix('_leftImg8bit')}_gtFine_{kind}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.repeat([[road], [void]], [5, 1], axis=0).repeat(8, axis=1).astype(np.uint8)).save(file)
    data = open_dataset(tmp_path)
    assert data.classes == CLASSES
    assert set(data.masks) == set(names)
    assert data.annotations == ()
    for file in tmp_path.rglob("*_labelTrainIds.png"):
        file.unlink()
    data = open_dataset(tmp_path)
    assert data.classes == CLASSES
    assert {split: len(images) for split, images in data.splits.items()} == {"train": 2, "val": 1}
    assert not data.masks
    found, _ = read_any_hints(data.annotations, data)
    assert list(found) == names
    assert [region.name for hints in found.values() for region in hints.regions if region.name] == ["road"] * 3


@pytest.mark.parametrize("name", [" ", "", "\t\n", "/", "..", "a/" * 500_000, "x" * 1_000_000])
def test_names_that_are_none_resolve_to_no_image(name: str) -> None:
    names = Names({"a": Path("a.jpg"), "b/a": Path("b/a.jpg")})
    assert names.match([(Path("x.json"), [name])])[0].images == {}
    assert names.lines([name]) == {}


def roboflow(root: Path, split: str) -> str:
    """The name of a photograph in a split of an export of Roboflow, which also holds texts about the export."""
    name = f"{split}_jpg.rf.0123456789abcdef"
    photograph(root / split / f"{name}.jpg")
    (root / "README.dataset.txt").write_text("# cats > v1\nhttps://universe.roboflow.com\n")
    (root / "README.roboflow.txt").write_text("0 1 2 3 4 images were exported\n")
    return name


def test_a_table_of_tags_in_each_split_of_roboflow(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        name = roboflow(tmp_path, split)
        (tmp_path / split / "_classes.csv").write_text(f"filename, cat, dog\n{name}.jpg, 1, 0\n")
    data = open_dataset(tmp_path)
    assert data.classes.names == ("background", "cat", "dog")
    assert sorted(data.splits) == ["train", "val"]
    hints, report = read_any_hints(data.annotations, data)
    assert not report.losses()
    assert [(one.tags.present, one.tags.absent) for one in hints.values() if one.tags is not None] == [
        (frozenset({"cat"}), frozenset({"dog"}))
    ] * 2


def test_darknet_labels_of_roboflow_with_their_names_in_each_split(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        name = roboflow(tmp_path, split)
        (tmp_path / split / f"{name}.txt").write_text("1 0.5 0.5 0.5 0.5\n")
        (tmp_path / split / "_darknet.labels").write_text("cat\ndog\n")
    data = open_dataset(tmp_path)
    hints, report = read_any_hints(data.annotations, data)
    assert [box.name for one in hints.values() for box in one.boxes] == ["dog", "dog"]
    assert not report.missing
    (tmp_path / "valid/_darknet.labels").write_text("dog\ncat\n")
    with pytest.raises(FormatError, match="number their classes differently"):
        open_dataset(tmp_path)


def test_other_tables_called_classes_are_no_tags(tmp_path: Path) -> None:
    name = roboflow(tmp_path, "train")
    (tmp_path / "train/_classes.csv").write_text("cat,0\n")
    (tmp_path / "train/_annotations.csv").write_text(f"filename,xmin,ymin,xmax,ymax,class\n{name}.jpg,1,1,5,4,cat\n")
    data = open_dataset(tmp_path)
    assert data.annotations == (tmp_path / "train/_annotations.csv",)
