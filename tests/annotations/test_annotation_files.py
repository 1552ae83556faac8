"""Readers of foreign annotation formats, on minimal files with known answers, real files and damaged ones."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from underpaint.annotations.label_png import read_label_images
from underpaint.annotations.scribblesup import read_scribblesup
from underpaint.annotations.tags_csv import read_tags
from underpaint.annotations.voc_xml import read_voc_boxes
from underpaint.annotations.whats_the_point import read_clicks
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, FormatError, UnderpaintError
from underpaint.datasets.open import open_dataset
from underpaint.hints.rasterise import stroke_pixels
from underpaint.hints.types import Box, Click, Hints, Scribble, Tags
from underpaint.imagefiles.masks import read_index_mask, write_index_mask
from underpaint.imagefiles.numbering import VOC

DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
TABLE = ClassTable.of(["background", "cat", "dog"])
STUFF = ClassTable.of(["sky", "cat", "dog"])
THINGS = frozenset({"cat", "dog"})

BOXES = (
    "<annotation><filename>other.jpg</filename><size><width>4</width><height>3</height><depth>3</depth></size>"
    "<object><name>cat</name><bndbox><ymax>3</ymax><xmin>2</xmin><ymin>1</ymin><xmax>3</xmax></bndbox></object>"
    "</annotation>"
)
LINES = (
    "<annotation><size><width>500</width><height>375</height></size>"
    "<polygon><tag>plane</tag><point><X>10</X><Y>20</Y></point><point><X>40</X><Y>22</Y></point></polygon>"
    "<polygon><tag>background</tag><point><X>0</X><Y>0</Y></point></polygon></annotation>"
)
CLICKS = '{"2008_004171": [{"x": 253.38, "y": 322.39, "rank": 2, "cls": 16}, {"x": 1, "y": 2, "rank": 1, "cls": 8}]}'
TAGS = "image,cat,dog\na.jpg,1,0\nb.jpg,1,\n"

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return writer


# VOC boxes


def test_voc_boxes_count_from_one_and_include_both_ends(write: Write) -> None:
    """Pixels 2..3 of x and 1..3 of y, counted from 1, are [1, 3) x [0, 3)."""
    read = read_voc_boxes(write("a.xml", BOXES), TABLE)
    assert read == {
        "a": Hints(
            "a",
            size=(3, 4),
            shapes=(Box("cat", 1.0, 0.0, 3.0, 3.0),),
            boxed=THINGS,
            tags=Tags(frozenset({"cat"}), frozenset({"dog"})),
            source="VOC boxes",
        )
    }


def test_a_zero_anywhere_makes_the_folder_count_from_zero(tmp_path: Path, write: Write) -> None:
    write("a.xml", BOXES)
    write("b.xml", BOXES.replace("<xmin>2<", "<xmin>0<"))
    read = read_voc_boxes(tmp_path, TABLE)
    assert read["a"].boxes == (Box("cat", 2.0, 1.0, 4.0, 4.0),)
    assert read["b"].boxes == (Box("cat", 0.0, 1.0, 4.0, 4.0),)
    assert read_voc_boxes(tmp_path, TABLE, base=1)["a"].boxes == (Box("cat", 1.0, 0.0, 3.0, 3.0),)
    assert read_voc_boxes(tmp_path / "a.xml", TABLE, base=0)["a"].boxes == read["a"].boxes


def test_voc_floats_and_unknown_words_and_no_objects(tmp_path: Path, write: Write) -> None:
    write("a.xml", BOXES.replace("<xmin>2<", "<xmin>1.75<").replace("cat", "unicorn"))
    write("b.xml", "<annotation><size><width>0</width><height>0</height></size></annotation>")
    read = read_voc_boxes(tmp_path, TABLE)
    assert read["a"].boxes == (Box("unicorn", 0.75, 0.0, 3.0, 3.0),)
    assert read["b"] == Hints("b", boxed=THINGS, tags=Tags(frozenset(), THINGS), source="VOC boxes")


def test_without_background_only_boxed_classes_count_as_boxed(write: Write) -> None:
    """A table with stuff classes: nobody boxes the sky, so its lack of a box says nothing."""
    read = read_voc_boxes(write("a.xml", BOXES), STUFF)["a"]
    assert read.boxed == {"cat"}
    assert read.tags == Tags(frozenset({"cat"}))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<name>cat</name>", "", "no <name>"),
        ("<xmin>2</xmin>", "", "no <xmin>"),
        ("<xmin>2</xmin>", "<xmin>two</xmin>", "'two'"),
        ("<xmin>2</xmin>", "<xmin>nan</xmin>", "finite"),
        ("<xmin>2</xmin>", "<xmin>9</xmin>", "empty"),
        ("<width>4</width>", "<width>4.5</width>", "whole numbers"),
        ("<annotation>", "<annotations>", "not XML"),
        ("annotation", "collection", "outermost element"),
    ],
)
def test_voc_faults_name_file_and_object(write: Write, old: str, new: str, message: str) -> None:
    path = write("a.xml", BOXES.replace(old, new))
    with pytest.raises(FormatError, match=message) as caught:
        read_voc_boxes(path, TABLE)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "hostile",
    [
        '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><annotation>&y;</annotation>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>',
        "<!DOCTYPE annotation><annotation/>",
        "<annotation>" * 200_000,
        '<?xml version="1.0" encoding="no-such-code"?><annotation/>',
        "<annotation>" + " " * (5 << 20) + "</annotation>",
    ],
)
def test_hostile_xml_is_refused(write: Write, hostile: str) -> None:
    path = write("a.xml", hostile)
    for read in (read_voc_boxes, read_scribblesup):
        with pytest.raises(FormatError, match=r"not XML|may have at most"):
            read(path, TABLE)


# ScribbleSup


def test_scribblesup_lines_get_vocs_words_and_pixel_centres(write: Write) -> None:
    read = read_scribblesup(write("a.xml", LINES), VOC)["a"]
    assert read.size == (375, 500)
    assert read.scribbles == (
        Scribble("aeroplane", ((10.5, 20.5), (40.5, 22.5)), 3.0),
        Scribble("background", ((0.5, 0.5),), 3.0),
    )
    assert read.tags is not None
    assert read.tags.present == {"aeroplane", "background"}
    assert len(read.tags.absent) == 19
    assert "background" not in read.tags.absent


def test_a_table_with_scribblesups_own_words_keeps_them(write: Write) -> None:
    table = ClassTable.of(["background", "plane"])
    assert read_scribblesup(write("a.xml", LINES), table)["a"].scribbles[0].name == "plane"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<tag>plane</tag>", "", "no <tag>"),
        ("<X>10</X>", "<x>10</x>", "no <X>"),
        ("<point><X>0</X><Y>0</Y></point>", "", "0 points"),
    ],
)
def test_scribblesup_faults_name_file_and_line(write: Write, old: str, new: str, message: str) -> None:
    path = write("a.xml", LINES.replace(old, new))
    with pytest.raises(FormatError, match=message) as caught:
        read_scribblesup(path, VOC)
    assert f"{path}, polygon" in str(caught.value)


# What's the Point


def test_clicks_get_vocs_words_in_the_order_of_their_ranks(write: Write) -> None:
    read = read_clicks(write("a.json", CLICKS))
    assert read["2008_004171"].clicks == (Click("cat", 1.0, 2.0), Click("pottedplant", 253.38, 322.39))
    assert read["2008_004171"].tags is None


def test_background_clicks_have_no_rank_and_empty_images_say_nothing(write: Write) -> None:
    read = read_clicks(write("a.json", '{"a": [{"x": 1, "y": 2, "cls": 0}, {"x": 3, "y": 4, "cls": 0}], "b": []}'))
    assert read == {
        "a": Hints(
            "a",
            shapes=(Click("background", 1.0, 2.0), Click("background", 3.0, 4.0)),
            source="What's the Point clicks",
        )
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not the structure"),
        ('{"a": 1}', "not the structure"),
        ('{"a": [1]}', "object"),
        ('{"a": [{"x": 1, "y": 2}]}', "'cls' is missing"),
        ('{"a": [{"x": 1, "y": 2, "cls": 21}]}', "0..20"),
        ('{"a": [{"x": 1, "y": 2, "cls": -1}]}', ">= 0"),
        ('{"a": [{"x": NaN, "y": 2, "cls": 1}]}', "NaN"),
        ('{"a": [], "a": []}', "given twice"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_click_faults_name_the_file(write: Write, text: str, message: str) -> None:
    path = write("a.json", text)
    with pytest.raises(FormatError, match=message) as caught:
        read_clicks(path)
    assert str(path) in str(caught.value)


# Tables of tags


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_column_a_class_has_three_states(write: Write, delimiter: str, mark: str) -> None:
    read = read_tags(write("a.csv", mark + TAGS.replace(",", delimiter)), TABLE)
    assert read["a.jpg"].tags == Tags(frozenset({"cat"}), frozenset({"dog"}))
    assert read["b.jpg"].tags == Tags(frozenset({"cat"}), frozenset())


def test_a_list_of_tags_leaves_the_rest_unknown_unless_it_is_complete(write: Write) -> None:
    path = write("a.csv", 'image,tags\na,cat;dog\nb,"cat, dog"\nc,\nd, cat \n')
    read = read_tags(path, TABLE)
    both = Tags(frozenset({"cat", "dog"}))
    assert [one.tags for one in read.values()] == [both, both, Tags(), Tags(frozenset({"cat"}))]
    assert read_tags(path, TABLE, complete=True)["d"].tags == Tags(frozenset({"cat"}), frozenset({"dog"}))


def test_pandas_writes_blanks_with_decimals(write: Write) -> None:
    read = read_tags(write("a.csv", "image,cat,dog\na,1.0,\nb,0.0,1.0\n"), TABLE)
    assert read["a"].tags == Tags(frozenset({"cat"}), frozenset())
    assert read["b"].tags == Tags(frozenset({"dog"}), frozenset({"cat"}))


def test_quoted_names_with_delimiters(write: Write) -> None:
    assert list(read_tags(write("a.csv", 'image,cat\n"a, b",1\n\n"ä""c",0\n'), TABLE)) == ["a, b", 'ä"c']


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 column"),
        ("image\na\n", "1 column"),
        ("image,cat\na,1,0\n", "3 columns"),
        ("image,cat\n,1\n", "names no image"),
        ("image,cat\na,perhaps\n", "'perhaps'"),
        ("image,cat,cat\na,1,0\n", "two columns have the heading 'cat'"),
        ("image,cat\na,1\na,0\n", "given twice"),
        ('image,cat\n"a,1\n', "not a table"),
    ],
)
def test_table_faults_name_file_and_line(write: Write, text: str, message: str) -> None:
    path = write("a.csv", text)
    with pytest.raises(FormatError, match=message) as caught:
        read_tags(path, TABLE)
    assert f"{path}:" in str(caught.value)


# Label images


def test_label_images_are_referred_to_by_path(tmp_path: Path) -> None:
    write_index_mask(tmp_path / "data/labels/deep/a.png", np.array([[0, 255, 1]], np.uint8), TABLE)
    read = read_label_images(tmp_path / "data/labels", TABLE, tmp_path / "data")
    assert read == {"deep/a": Hints("deep/a", mask="labels/deep/a.png", source="label images")}
    outside = read_label_images(tmp_path / "data/labels", TABLE, tmp_path / "elsewhere")
    assert outside["deep/a"].mask == str(tmp_path / "data/labels/deep/a.png")


def test_grey_label_images_of_0_and_255_are_ambiguous_only_as_a_folder(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="only the grey values 0 and 255"):
        read_label_images(tmp_path, TABLE, tmp_path)
    Image.fromarray(np.array([[2, 255]], np.uint8)).save(tmp_path / "b.png")
    assert len(read_label_images(tmp_path, TABLE, tmp_path)) == 2


def test_label_images_outside_the_table_or_missing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no label images"):
        read_label_images(tmp_path, TABLE, tmp_path)
    Image.fromarray(np.array([[38, 0]], np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="38"):
        read_label_images(tmp_path, TABLE, tmp_path)


# Damaged files


@pytest.mark.parametrize(
    ("name", "text", "reader"),
    [
        ("a.xml", BOXES, lambda path: read_voc_boxes(path, TABLE)),
        ("a.xml", LINES, lambda path: read_scribblesup(path, VOC)),
        ("a.json", CLICKS, read_clicks),
        ("a.csv", TAGS, lambda path: read_tags(path, TABLE)),
    ],
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_bytes_give_hints_or_a_typed_error(
    tmp_path: Path, data: st.DataObject, name: str, text: str, reader: Callable[[Path], dict[str, Hints]]
) -> None:
    content = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / name).write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read = reader(tmp_path / name)
    except UnderpaintError:
        return
    assert all(image == one.image for image, one in read.items())


# Real files


@pytest.mark.skipif(not (DATA / "voc_animals").is_dir(), reason="the VOC animal photographs are not at hand")
def test_real_boxes_agree_with_the_masks() -> None:
    """Where a box of the six classes is, its mask is: with coordinates one off, rows at the border would miss."""
    data = open_dataset(DATA / "voc_animals")
    folder = DATA / "voc_animals/weak/Annotations"
    inside = total = 0
    for name in data.split("train_official")[::20]:
        read = read_voc_boxes(folder / f"{name}.xml", data.classes)[name]
        mask = read_index_mask(data.masks[name], data.classes, size=read.size)
        expected = ElementTree.parse(folder / f"{name}.xml").getroot().iter("xmin")
        assert [box.x0 for box in read.boxes] == [int(side.text or "") - 1 for side in expected]
        for label in data.classes.foreground:
            covered = np.zeros(mask.shape, bool)
            for box in read.boxes:
                if box.name == data.classes.names[label]:
                    covered[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = True
            inside += int((covered & (mask == label)).sum())
            total += int((mask == label).sum())
    assert inside / total > 0.98


@pytest.mark.skipif(not (DATA / "voc_sample").is_dir(), reason="the VOC sample is not at hand")
def test_real_scribbles_agree_with_the_masks() -> None:
    data = open_dataset(DATA / "voc_sample")
    read = read_scribblesup(DATA / "voc_sample/scribbles", data.classes)
    assert sorted(name.split("/")[-1] for name in read) == ["2007_009897", "2008_000003", "2008_000008", "2011_003223"]
    for path, hints in read.items():
        mask = read_index_mask(data.masks[path.split("/")[-1]], data.classes, size=hints.size)
        right = known = 0
        for scribble in hints.scribbles:
            rows, columns = stroke_pixels(np.array(scribble.points), 1.0, mask.shape)
            right += int((mask[rows, columns] == data.classes.index(scribble.name)).sum())
            known += int((mask[rows, columns] != 255).sum())
        assert right / known > 0.92  # people stray over borders here and there


@pytest.mark.skipif(not (DATA / "voc_animals").is_dir(), reason="the VOC animal photographs are not at hand")
def test_real_clicks_mostly_hit_their_class() -> None:
    data = open_dataset(DATA / "voc_animals")
    path = DATA / "voc_animals/weak/voc_whats_the_point.json"
    read = read_clicks(path)
    raw = json.loads(path.read_text())
    assert sum(len(one.clicks) for one in read.values()) == sum(map(len, raw.values())) == 4292
    assert len(read) == sum(map(bool, raw.values())) == 1942
    hits = total = 0
    for name in data.split("val"):
        mask = read_index_mask(data.masks[name], data.classes)
        for click in read[name].clicks if name in read else ():
            if click.name in data.classes.names:
                total += 1
                hits += mask[int(click.y), int(click.x)] == data.classes.index(click.name)
    assert hits / total > 0.85


@pytest.mark.skipif(not (DATA / "voc_animals").is_dir(), reason="the VOC animal photographs are not at hand")
def test_real_tags_against_the_csv_module() -> None:
    data = open_dataset(DATA / "voc_animals")
    path = DATA / "voc_animals/weak/tags.csv"
    read = read_tags(path, data.classes)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(read) == [row["image"] for row in rows]
    for row in rows:
        tags = read[row["image"]].tags
        assert tags is not None
        assert tags.present == {name for name in data.classes.names if row.get(name) == "1"}
        assert tags.absent == {name for name in data.classes.names if row.get(name) == "0"}
