"""What cannot be read, or is left out, is named by its cause, and a format is not told by one line of one file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from underpaint.annotations.label_studio import write_label_studio
from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError, UnderpaintError
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.doctor import examine
from underpaint.hints.rest import fill_all
from underpaint.hints.types import Box, Click, Hints, Polygon, Tags

TABLE = ClassTable.of(["background", "cat", "dog"])
SQUARE = Polygon("cat", ((1.0, 1.0), (9.0, 1.0), (9.0, 9.0), (1.0, 9.0)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for name in "ab":
        Image.new("RGB", (60, 40)).save(tmp_path / f"images/{name}.png")
    (tmp_path / "data.yaml").write_text("names: [cat, dog]\n")
    return tmp_path


GOOD = "0 0.5 0.5 0.2 0.2\n"
NUMBERS = {
    "a class that is no whole number": ("0.0 .5 .5 .2 .2", "the class is '0.0'", "a.txt:1"),
    "commas": ("0,.5,.5,.2,.2", "5 columns separated by commas", "a.txt:1"),
    "a class beyond the names": ("2 .5 .5 .2 .2", "the class is '2'", "a.txt:1"),
}


@pytest.mark.parametrize("case", NUMBERS)
@pytest.mark.parametrize("other", [GOOD, "", None])
def test_a_damaged_first_file_is_named(case: str, other: str | None, root: Path) -> None:
    """Whether the next file is sound, empty or missing."""
    text, message, where = NUMBERS[case]
    (root / "labels/a.txt").write_text(text)
    if other is not None:
        (root / "labels/b.txt").write_text(other)
    data = open_dataset(root)
    assert data.classes.names == ("background", "cat", "dog")
    with pytest.raises(UnderpaintError, match=message) as caught:
        read_any_hints(data.annotations, data)
    assert where in str(caught.value)


def test_an_empty_first_file_hides_nothing(root: Path) -> None:
    (root / "labels/a.txt").write_text("")
    (root / "labels/b.txt").write_text(GOOD)
    data = open_dataset(root)
    hints, _ = read_any_hints(data.annotations, data)
    assert [(box.name, round(box.x0, 6), round(box.y1, 6)) for box in hints["b"].boxes] == [("cat", 24, 24)]


def test_label_files_that_are_all_empty_are_said_to_be(root: Path) -> None:
    for name in "ab":
        (root / f"labels/{name}.txt").write_text("\n")
    report = examine(root)
    assert any(finding.what.startswith("every label file is empty (2") for finding in report.findings)


def test_the_names_of_yolos_first_form(tmp_path: Path) -> None:
    """``obj.names``, as CVAT writes it; without any names the number is named."""
    (tmp_path / "obj_train_data").mkdir()
    Image.new("RGB", (60, 40)).save(tmp_path / "obj_train_data/p.png")
    (tmp_path / "obj_train_data/p.txt").write_text(GOOD)
    (tmp_path / "train.txt").write_text("data/obj_train_data/p.png\n")
    with pytest.raises(
        UnderpaintError, match=r"class 0 has no name: no names in a YAML file, classes.txt or obj.names"
    ):
        open_dataset(tmp_path)
    (tmp_path / "obj.names").write_text("cat\ndog\n")
    data = open_dataset(tmp_path)
    hints, _ = read_any_hints(data.annotations, data)
    assert data.classes.names == ("background", "cat", "dog")
    assert [box.name for one in hints.values() for box in one.boxes] == ["cat"]


def test_yolo_polygons_that_cover_nothing_are_counted(root: Path) -> None:
    (root / "labels/a.txt").write_text(GOOD + "1 0.1 0.1 0.2 0.2 0.3 0.3\n")
    data = open_dataset(root)
    hints, report = read_any_hints(data.annotations, data)
    assert report.left_out == {"polygons that cover nothing": 1}
    assert len(hints["a"].ignored()) == 1


COLLECTION = {"type": "GeometryCollection", "geometries": []}
BIT_MASK = {
    "type": "bitmasklabels",
    "original_width": 60,
    "original_height": 40,
    "value": {"imageDataURL": "data:,", "bitmasklabels": ["cat"]},
}
NOTHING_LEFT = {
    "Label Studio": ("a.json", [{"data": {"image": "a.png"}, "annotations": [{"result": [BIT_MASK]}]}],
                     "all 1 shapes were left out: results of type 'bitmasklabels' (1)"),
    "GeoJSON": ("a.geojson", {"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": COLLECTION, "properties": {"classification": {"name": "cat"}}}]},
        "all 1 shapes were left out: shapes of type 'GeometryCollection' (1)"),
    "labelme": ("a.json", {"imagePath": "a.png", "shapes": []}, "the annotations name no class"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTHING_LEFT)
def test_where_nothing_is_left_the_cause_is_said(case: str, tmp_path: Path) -> None:
    name, content, message = NOTHING_LEFT[case]
    Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
    (tmp_path / name).write_text(json.dumps(content))
    findings = examine(tmp_path).findings
    assert findings[0].what.startswith(message)


BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>20</ymax></bndbox>"
OUTLINE = "<polygon><x1>1</x1><y1>1</y1><x2>20</x2><y2>1</y2><x3>20</x3><y3>20</y3></polygon>"


def test_voc_files_with_outlines_are_voc(root: Path) -> None:
    """An outline within an object is no line of ScribbleSup; the box counts, and what is left aside is counted."""
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("background\ncat\n")
    (root / "Annotations").mkdir()
    (root / "Annotations/a.xml").write_text(f"<annotation><object><name>cat</name>{OUTLINE}{BOX}</object></annotation>")
    (root / "Annotations/b.xml").write_text("<annotation><filename>b.png</filename></annotation>")
    data = open_dataset(root)
    hints, report = read_any_hints(data.annotations, data)
    assert [form for _, form in report.sources] == ["VOC boxes"]
    assert hints["a"].boxes == (Box("cat", 0, 0, 20, 20),)
    assert hints["b"].tags == Tags(absent=frozenset({"cat"}))
    assert "1 left out: outlines of objects (the box of each is kept)" in report.lines()
    note = "1 files without an object: their images are taken to show no class"
    assert note in report.lines()
    assert note in [finding.what for finding in examine(root).findings]


def test_images_that_the_rest_must_not_fill_are_counted() -> None:
    sound = Hints("a", size=(40, 60), shapes=(SQUARE,))
    lost = Hints("b", size=(40, 60), shapes=(SQUARE,), unplaced=2)
    found, lines = fill_all({"a": sound, "b": lost}, "background", TABLE)
    assert found["b"] == lost
    assert [region.name for region in found["a"].regions] == ["background", "cat"]
    assert lines[0] == "1 images: all pixels without an annotation are 'background'"
    assert lines[1].startswith("1 images: pixels without an annotation stay unknown")
    assert len(fill_all({"a": sound}, "background", TABLE)[1]) == 1


def test_the_name_of_what_is_ignored_is_no_class_to_ask_for() -> None:
    assert TABLE.index("") == 255
    for ask in (
        lambda: TABLE.indices([""]),
        lambda: fill_all({}, "cow", TABLE) and fill_all({"a": Hints("a")}, "", TABLE),
    ):
        with pytest.raises(HintError, match="unknown class"):
            ask()


def test_label_studio_results_name_the_controls_of_its_templates(tmp_path: Path) -> None:
    hole = Polygon("dog", SQUARE.ring, (((3.0, 3.0), (6.0, 3.0), (6.0, 6.0)),))
    hints = Hints(
        "a",
        size=(40, 60),
        shapes=(Click("cat", 5, 5), Box("cat", 1, 1, 9, 9), SQUARE, hole),
        tags=Tags(frozenset({"cat"})),
    )
    write_label_studio(tmp_path / "out.json", [hints])
    (task,) = json.loads((tmp_path / "out.json").read_text())
    named = {one["type"]: (one["from_name"], one["to_name"]) for one in task["annotations"][0]["result"]}
    assert named == {
        "keypointlabels": ("kp-1", "image"),
        "rectanglelabels": ("label", "image"),
        "polygonlabels": ("label", "image"),
        "brushlabels": ("tag", "image"),
        "choices": ("choice", "image"),
    }
