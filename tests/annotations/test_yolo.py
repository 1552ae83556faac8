"""YOLO's labels: boxes and polygons in shares of the sides, class names, and every bad line named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from underpaint.annotations.yolo import is_yolo, read_yolo, write_yolo, yolo_classes
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, FormatError, HintError, UnderpaintError
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.rasterise import paint_regions
from underpaint.hints.types import Bitmap, Box, Hints, Polygon
from underpaint.imagefiles.images import find_images

NAMES = ("cat", "dog")
TABLE = ClassTable.of(["background", *NAMES])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("images/train/a", "images/val/b"):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.new("RGB", (40, 20)).save(tmp_path / f"{name}.png")
    (tmp_path / "labels/train").mkdir(parents=True)
    return tmp_path


def read(root: Path, text: str) -> Hints:
    (root / "labels/train/a.txt").write_text(text)
    return read_yolo(root, NAMES, find_images(root / "images"))["train/a"]


def test_the_lines_of_the_docs(root: Path) -> None:
    hints = read(root, "0 0.5 0.5 0.25 0.5\n\n1 0.1 0.1 0.4 0.1 0.4 0.3\n")
    assert hints.boxes == (Box("cat", 15, 5, 25, 15),)
    assert hints.regions == (Polygon("dog", ((4, 2), (16, 2), (16, 6))),)
    assert hints.size == (20, 40)
    assert is_yolo(root)
    assert is_yolo(root / "labels")


def test_names_are_found_beside_the_labels(root: Path) -> None:
    assert yolo_classes(root / "labels") == ()
    (root / "labels/classes.txt").write_text("elk\nowl\n")
    assert yolo_classes(root / "labels") == ("elk", "owl")
    (root / "data.yaml").write_text("names: [cat, dog]\n")
    assert yolo_classes(root) == yolo_classes(root / "labels") == NAMES
    (root / "data.yaml").write_text("train: x\nnames:\n  1: dog\n  0: cat\n")
    assert yolo_classes(root) == NAMES
    words = "no, yes, on, 1.0, 012, 2024-01-01, ~, 0x1F, 1_000, .nan, '5'"
    texts = ("no", "yes", "on", "1.0", "012", "2024-01-01", "~", "0x1F", "1_000", ".nan", "5")
    (root / "data.yaml").write_text(f"nc: 11\nnames: [{words}]\n")
    assert yolo_classes(root) == texts
    lines = "".join(f"  {number}: {text}\n" for number, text in enumerate(texts))
    (root / "data.yaml").write_text(f"names:\n{lines}")
    assert yolo_classes(root) == yolo_classes(root / "data.yaml") == texts
    bad_names = ("names: {00: a}", "names: [a, ]b", "names: ['']", "names: 3", "names: {0: a, 2: b}", "names: [[]]")
    for bad in (*bad_names, "names: [a", "&a [*a"):
        (root / "data.yaml").write_text(bad)
        with pytest.raises(FormatError):
            yolo_classes(root)


def test_images_beside_their_label_folders(tmp_path: Path) -> None:
    (tmp_path / "train/images").mkdir(parents=True)
    (tmp_path / "train/labels").mkdir()
    Image.new("RGB", (40, 20)).save(tmp_path / "train/images/a.png")
    (tmp_path / "train/labels/a.txt").write_text("0 0.5 0.5 1 1")
    (tmp_path / "README.txt").write_text("hello")
    hints = read_yolo(tmp_path, NAMES, find_images(tmp_path))
    assert hints["train/images/a"].boxes == (Box("cat", 0, 0, 40, 20),)


def test_an_image_that_is_not_at_hand_has_no_hints(root: Path) -> None:
    (root / "labels/train/c.txt").write_text("0 0.5 0.5 1 1")
    assert read_yolo(root, NAMES, find_images(root / "images"))["images/train/c"] == Hints(
        "images/train/c", source="YOLO"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.25", "4 columns"),
        ("0 0.5 0.5 0.25 0.5 0.9", "6 columns"),
        ("2 0.5 0.5 0.25 0.5", "class is '2'"),
        ("-1 0.5 0.5 0.25 0.5", "class is '-1'"),
        ("99999999999 0.5 0.5 0.25 0.5", "class is"),
        ("0 0.5 0.5 nan 0.5", "'nan' is not a number"),
        ("0 0.5 0.5 1e999 0.5", "finite"),
        ("0 0.5 0.5 0 0.5", "empty"),
        ("0 a b c d", "finite"),
    ],
)
def test_a_bad_line_is_named(root: Path, line: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(root, f"0 0.5 0.5 0.25 0.5\n{line}\n")
    assert "a.txt:2" in str(caught.value)


def test_other_text_is_no_yolo(root: Path) -> None:
    for text in ("hello", "train/a", "0 0.5 0.5", ""):
        (root / "labels/train/a.txt").write_text(text)
        assert not is_yolo(root)


def test_holes_and_bitmaps_are_written_as_rings_of_the_same_pixels(root: Path) -> None:
    frame = np.ones((6, 7), bool)
    frame[2:4, 1:3] = False
    frame[2, 5] = False
    ring = ((20.0, 1.0), (38.0, 2.0), (30.0, 19.0))
    regions = (
        Bitmap("cat", 3, 4, 7, 6, (*np.diff([0, 0, 15, 17, 19, 20, 22, 24, 42]).tolist(),)),
        Polygon("dog", ring, (((24.0, 4.0), (30.0, 4.0), (30.0, 9.0)),)),
    )
    write_yolo(root / "out", [Hints("train/a", size=(20, 40), shapes=regions)], TABLE)
    assert yolo_classes(root / "out") == TABLE.names
    back = read_yolo(root / "out", TABLE.names, find_images(root / "images"))["train/a"].regions
    painted = paint_regions([(TABLE.index(region.name), region) for region in back], (20, 40))
    expected = paint_regions([(TABLE.index(region.name), region) for region in regions], (20, 40))
    np.testing.assert_array_equal(painted, expected)
    with pytest.raises(HintError, match="size of the image"):
        write_yolo(root / "out", [Hints("train/a", shapes=regions)], TABLE)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_bytes_give_hints_or_a_typed_error(root: Path, data: st.DataObject) -> None:
    images = find_images(root / "images")
    for name, text in (
        ("labels/train/a.txt", "0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.4 0.1 0.4 0.3\n"),
        ("data.yaml", "names: [a, b]\n"),
    ):
        raw = bytearray(text.encode())
        for _ in range(data.draw(st.integers(0, 3))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        (root / name).write_bytes(raw)
    try:
        is_yolo(root)
        read_yolo(root, yolo_classes(root) or NAMES, images)
    except UnderpaintError:
        return


def test_deep_brackets_in_the_names_end_in_an_error(tmp_path: Path) -> None:
    """The loader in C overflows its stack on these and takes the process along; found by fuzzing."""
    (tmp_path / "data.yaml").write_text("path: " + '{"a":' * 20_000)
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(FormatError):
        yolo_classes(tmp_path)


def test_class_names_that_yaml_takes_for_values_come_back(tmp_path: Path) -> None:
    names = ["no", "yes", "1.0", "012", "2024-01-01", "null", "~"]
    write_yolo(tmp_path / "out", [Hints("a", size=(20, 40))], ClassTable.of(names))
    assert yolo_classes(tmp_path / "out") == tuple(names)


def test_hints_may_be_the_yaml_file_or_the_labels(tmp_path: Path) -> None:
    """As Roboflow exports it: a folder of each split, with photographs of the same names."""
    for split, number in (("train", 0), ("test", 1)):
        for folder in ("images", "labels"):
            (tmp_path / split / folder).mkdir(parents=True)
        Image.new("RGB", (40, 20)).save(tmp_path / split / "images/a.jpg")
        (tmp_path / split / "labels/a.txt").write_text(f"{number} 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text("train: train/images\nnames: [cat, dog]\n")
    data = open_dataset(tmp_path)
    for source, expected in (
        ("data.yaml", {"train/images/a": "cat", "test/images/a": "dog"}),
        ("train/labels", {"train/images/a": "cat"}),
        ("test/labels", {"test/images/a": "dog"}),
        ("test", {"test/images/a": "dog"}),
    ):
        found, report = read_any_hints(tmp_path / source, data)
        assert {name: one.boxes[0].name for name, one in found.items()} == expected
        assert report.sources == [(tmp_path / source, "YOLO labels")]
    (tmp_path / "other.yaml").write_text("lr: 3\n")
    with pytest.raises(DataError, match="format of the hints is unknown"):
        read_any_hints(tmp_path / "other.yaml", data)
