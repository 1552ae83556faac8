"""Data sets as annotation tools leave them: recognised from their content, with classes and splits of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from underpaint.annotations.jsonl import write_hints
from underpaint.core.errors import DataError, FormatError
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.doctor import examine
from underpaint.doctor.findings import Level
from underpaint.hints.types import Click, Hints
from underpaint.imagefiles.naming import Names
from underpaint.imagefiles.spelling import split_word


def photograph(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 20)).save(path)


def coco(path: Path, *files: str) -> None:
    images = [{"id": i, "file_name": name, "width": 40, "height": 20} for i, name in enumerate(files)]
    made = [{"id": i, "image_id": i, "category_id": 5, "segmentation": [[1, 1, 9, 1, 9, 9]]} for i in range(len(files))]
    path.parent.mkdir(parents=True, exist_ok=True)
    categories = [{"id": 5, "name": "owl"}, {"id": 3, "name": "elk"}]
    path.write_text(json.dumps({"images": images, "annotations": made, "categories": categories}))


def labelme(path: Path, label: str = "owl") -> None:
    shape: dict[str, Any] = {"label": label, "shape_type": "polygon", "points": [[1, 1], [9, 1], [9, 9]]}
    path.write_text(json.dumps({"shapes": [shape], "imagePath": f"{path.stem}.jpg", "imageData": None}))


def hinted(root: Path) -> list[str]:
    data = open_dataset(root)
    hints, _ = read_any_hints(data.annotations, data)
    assert all(one.regions or one.boxes for one in hints.values())
    return list(hints)


def test_coco_with_a_file_a_split(tmp_path: Path) -> None:
    """The layout of COCO itself; both splits have a photograph of the same name."""
    for split in ("train2017", "val2017"):
        photograph(tmp_path / split / "1.jpg")
        coco(tmp_path / f"annotations/instances_{split}.json", "1.jpg")
        coco(tmp_path / f"annotations/person_keypoints_{split}.json", "1.jpg")
    data = open_dataset(tmp_path)
    assert data.splits == {"train": ("train2017/1",), "val": ("val2017/1",)}
    assert data.classes.names == ("background", "owl", "elk")
    assert data.classes.background == 0
    assert [path.name for path in data.annotations] == ["instances_train2017.json", "instances_val2017.json"]
    assert hinted(tmp_path) == ["train2017/1", "val2017/1"]


def test_coco_beside_its_photographs_as_roboflow_exports_it(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        photograph(tmp_path / split / "a.jpg")
        coco(tmp_path / split / "_annotations.coco.json", "a.jpg")
    assert open_dataset(tmp_path).splits == {"train": ("train/a",), "val": ("valid/a",)}
    assert hinted(tmp_path) == ["train/a", "valid/a"]


def test_coco_in_one_folder_with_a_file_a_split(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        photograph(tmp_path / f"images/{name}.jpg")
    coco(tmp_path / "train.json", "a.jpg", "b.jpg")
    coco(tmp_path / "val.json", "c.jpg")
    assert open_dataset(tmp_path).splits == {"train": ("a", "b"), "val": ("c",)}
    (tmp_path / "val.json").unlink()
    data = open_dataset(tmp_path)
    assert data.splits == {"train": ("a", "b", "c")}
    assert data.masks == {}


def test_labelme_beside_the_photographs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        photograph(tmp_path / f"{name}.png")
        labelme(tmp_path / f"{name}.json", "owl" if name == "b" else "elk")
    data = open_dataset(tmp_path)
    assert data.classes.names == ("background", "elk", "owl")
    assert data.splits == {"train": ("a", "b")}
    assert hinted(tmp_path) == ["a", "b"]


def test_yolo_with_folders_of_splits(tmp_path: Path) -> None:
    for name in ("train/a", "val/b"):
        photograph(tmp_path / f"images/{name}.jpg")
        (tmp_path / f"labels/{name}.txt").parent.mkdir(parents=True)
        (tmp_path / f"labels/{name}.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text("names: [owl, elk]\n")
    data = open_dataset(tmp_path)
    assert data.splits == {"train": ("train/a",), "val": ("val/b",)}
    assert data.classes.names == ("background", "owl", "elk")
    hints, _ = read_any_hints(data.annotations, data)
    assert [box.name for box in hints["val/b"].boxes] == ["elk"]


def test_a_class_list_counts_more_than_the_annotations(tmp_path: Path) -> None:
    photograph(tmp_path / "images/a.jpg")
    coco(tmp_path / "coco.json", "a.jpg")
    (tmp_path / "classes.txt").write_text("elk\nowl\nfox\n")
    data = open_dataset(tmp_path)
    assert data.classes.names == ("elk", "owl", "fox")
    assert data.annotations == (tmp_path / "coco.json",)
    assert data.splits == {"train": ("a",)}


def test_the_rest_may_be_a_class(tmp_path: Path) -> None:
    photograph(tmp_path / "images/a.jpg")
    coco(tmp_path / "coco.json", "a.jpg")
    ground = open_dataset(tmp_path, rest="ground").classes
    assert (ground.names, ground.background) == (("ground", "owl", "elk"), 0)
    owl = open_dataset(tmp_path, rest="owl").classes
    assert (owl.names, owl.background) == (("owl", "elk"), None)


def test_masks_leave_annotations_aside(tmp_path: Path) -> None:
    photograph(tmp_path / "images/a.jpg")
    photograph(tmp_path / "masks/a.png")
    (tmp_path / "classes.txt").write_text("elk\nowl\n")
    write_hints(tmp_path / "hints.jsonl", [Hints("a", shapes=(Click("elk", 1, 1),))])
    assert open_dataset(tmp_path).annotations == ()
    (tmp_path / "masks/a.png").unlink()
    assert open_dataset(tmp_path).annotations == (tmp_path / "hints.jsonl",)


def test_several_formats_are_refused(tmp_path: Path) -> None:
    photograph(tmp_path / "images/a.jpg")
    coco(tmp_path / "coco.json", "a.jpg")
    write_hints(tmp_path / "hints.jsonl", [Hints("a", shapes=(Click("elk", 1, 1),))])
    with pytest.raises(DataError, match="several formats: COCO JSON, hints file"):
        open_dataset(tmp_path)


def test_folders_without_annotations_or_photographs(tmp_path: Path) -> None:
    coco(tmp_path / "coco.json", "a.jpg")
    with pytest.raises(DataError, match="no images"):
        open_dataset(tmp_path)
    (tmp_path / "coco.json").unlink()
    with pytest.raises(DataError, match="no data set recognised"):
        open_dataset(tmp_path)
    photograph(tmp_path / "images/a.jpg")
    with pytest.raises(DataError, match="class list is missing"):
        open_dataset(tmp_path)
    coco(tmp_path / "coco.json")
    (tmp_path / "coco.json").write_text('{"images": [], "annotations": [], "categories": 3}')
    with pytest.raises(FormatError, match="no categories"):
        open_dataset(tmp_path)


def test_names_by_their_ends() -> None:
    images = {name: Path("root") / f"{name}.jpg" for name in ("x/a", "y/a", "y/b", "c")}
    names = Names(images)

    def found(source: str, *lines: str) -> dict[str, str]:
        return names.match([(Path(source), lines)])[0].images

    assert found("elsewhere/hints.json", "b.jpg", "a.jpg", "y/a", "somewhere/c.jpg", "d") == {
        "b.jpg": "y/b", "y/a": "y/a", "somewhere/c.jpg": "c",
    }  # fmt: skip
    assert found("elsewhere/hints.json", "q/b") == {"q/b": "y/b"}
    assert found("elsewhere/x_hints.json", "a.jpg") == {"a.jpg": "x/a"}
    assert found("root/y/hints.json", "a.jpg") == {"a.jpg": "y/a"}


def test_words_of_splits() -> None:
    words = ["train2017", "instances_val2017", "Training", "validation", "test-a", "latest", "trainer", "contest"]
    assert [split_word(word) for word in words] == ["train", "val", "train", "val", "test", None, None, None]


LABELME = json.dumps({
    "shapes": [{"label": "elk", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]}], "imagePath": "a.jpg",
})  # fmt: skip
VOC_XML = "<annotation><object><name>elk</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"  # noqa: E501


@pytest.mark.parametrize(
    ("coco_file", "other"),
    [
        ("test/_annotations.coco.json", {"train/labels/a.txt": "0 0.5 0.5 0.5 0.5\n"}),
        ("coco.json", {"train/a.json": LABELME}),
        ("z.json", {"images/a.json": LABELME, "a.json": LABELME, "a.jpg": ""}),
        ("annotations/coco.json", {"Annotations/a.xml": VOC_XML}),
        ("train/coco.json", {"labels/a.txt": "0 0.5 0.5 0.5 0.5\n"}),
    ],
)
def test_mixed_layouts_are_refused_and_hints_say_which_are_meant(
    tmp_path: Path, coco_file: str, other: dict[str, str]
) -> None:
    photograph(tmp_path / "images/a.jpg")
    photograph(tmp_path / "images/b.jpg")
    coco(tmp_path / coco_file, "b.jpg")
    (tmp_path / "data.yaml").write_text("names: [elk, owl]\n")
    for name, text in other.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="annotations of several formats: COCO JSON") as caught:
        open_dataset(tmp_path)
    assert "--hints" in str(caught.value)
    first = tmp_path / next(iter(other))
    hints = [tmp_path / coco_file, first if first.suffix in (".json", ".xml") else first.parent]
    data = open_dataset(tmp_path, hints=hints)
    assert set(data.classes.names) == {"background", "elk", "owl"}
    assert data.annotations == ()
    found, _ = read_any_hints(hints, data)
    assert set(found) == {"a", "b"}


@pytest.mark.parametrize("place", ["annotations.json", "annotations/all.xml", "train/boxes.csv"])
@pytest.mark.parametrize(("kind", "said"), [("pipe", "it is a named pipe"), ("link", "No such file")])
def test_what_only_has_the_name_of_annotations_is_refused(tmp_path: Path, place: str, kind: str, said: str) -> None:
    photograph(tmp_path / "images/a.jpg")
    (tmp_path / "classes.txt").write_text("elk\nowl\n")
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "nothing.json")
    with pytest.raises(DataError, match=rf"cannot be read: {said}(.|\n)*{path.name}(.|\n)*--hints"):
        open_dataset(tmp_path)
    hints = tmp_path / "hints.jsonl"
    write_hints(hints, [Hints("a", shapes=(Click("owl", 1, 1),))])
    assert open_dataset(tmp_path, hints=[hints]).annotations == ()


@pytest.mark.parametrize("folder", ["", "images"])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "coco"])
def test_hints_name_the_classes_of_photographs_by_themselves(tmp_path: Path, folder: str, kind: str) -> None:
    photograph(tmp_path / "photos" / folder / "a.jpg")
    path = tmp_path / f"hints.{kind}"
    if kind == "jsonl":
        write_hints(path, [Hints("a", shapes=(Click("owl", 1, 1), Click("elk", 3, 3)))])
    elif kind == "csv":
        path.write_text("image,owl,elk\na.jpg,1,0\n")
    else:
        path = path.with_suffix(".json")
        coco(path, "a.jpg")
    data = open_dataset(tmp_path / "photos", hints=[path])
    assert set(data.classes.names) == {"background", "elk", "owl"}
    assert data.splits == {"train": ("a",)}
    found, _ = read_any_hints([path], data)
    assert list(found) == ["a"]
    assert open_dataset(tmp_path / "photos", hints=[path], rest="ground").classes.names[0] == "ground"
    report = examine(tmp_path / "photos", hints=[path])
    assert report.images == 1
    assert set(report.classes) == {"background", "elk", "owl"}
    with pytest.raises(DataError):
        open_dataset(tmp_path / "photos")


def test_hints_do_not_explain_the_numbers_of_masks(tmp_path: Path) -> None:
    photograph(tmp_path / "data/images/a.jpg")
    photograph(tmp_path / "data/masks/a.png")
    write_hints(tmp_path / "hints.jsonl", [Hints("a", shapes=(Click("owl", 1, 1),))])
    with pytest.raises(DataError, match="class list is missing"):
        open_dataset(tmp_path / "data", hints=[tmp_path / "hints.jsonl"])


def test_hints_of_which_no_photograph_is_there_are_named(tmp_path: Path) -> None:
    photograph(tmp_path / "images/a.jpg")
    (tmp_path / "classes.txt").write_text("elk\nowl\n")
    for name in ("a", "b"):
        write_hints(tmp_path / f"{name}.jsonl", [Hints(name, shapes=(Click("owl", 1, 1),))])
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    _, report = read_any_hints(paths, open_dataset(tmp_path))
    assert f"{paths[1]}: none of its 1 images is in the data set" in report.losses()
    for hints, level in ((paths, Level.WARNS), (paths[1:], Level.BLOCKS)):
        idle = next(one for one in examine(tmp_path, hints=hints).findings if one.key == "hints-idle")
        assert (idle.level, idle.names) == (level, (str(paths[1]),))
