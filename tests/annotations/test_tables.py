"""Tables with ordinary headings and words: tags as yes and no, one label a row, boxes as rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from underpaint.annotations.boxes_csv import is_box_table, read_box_table, write_box_table
from underpaint.annotations.registry import recognise
from underpaint.annotations.tags_csv import read_tags
from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.types import Box, Hints, Tags

TABLE = ClassTable.of(["background", "cat", "dog"])
CAT = Box("cat", 1.0, 2.0, 30.5, 40.0)


def saved(tmp_path: Path, text: str, name: str = "x.csv") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("filename,cat,dog\na,yes,no\nb,,TRUE\n", {"a": ("cat", "dog"), "b": ("dog", "")}),
        ("cat,dog,File Name\nx,?,a\nN,y,b\n", {"a": ("cat", ""), "b": ("dog", "cat")}),
        ("image;cat;split\na;present;train\nb;absent;test\n", {"a": ("cat", ""), "b": ("", "cat")}),
        ("filename,label\na,cat\nb,dog\na,dog\n", {"a": ("cat dog", ""), "b": ("dog", "")}),
        ("id,filename,Class,split\n1,a,cat,train\n2,b,dog,val\n", {"a": ("cat", ""), "b": ("dog", "")}),
        ("path\ttags\na\tcat;dog\n", {"a": ("cat dog", "")}),
        ("image,source,sink\na,1,0\n", {"a": ("source", "sink")}),
        ("Filename,Label,Present\na,cat,yes\na,dog,no\nb,dog,\n", {"a": ("cat", "dog"), "b": ("", "")}),
    ],
)
def test_tags_with_ordinary_headings_and_words(tmp_path: Path, text: str, expected: dict[str, tuple[str, str]]) -> None:
    path = saved(tmp_path, text)
    assert recognise(path).name == "tags"
    found = read_tags(path, TABLE)
    assert list(found) == list(expected)
    for name, (present, absent) in expected.items():
        assert found[name].tags == Tags(frozenset(present.split()), frozenset(absent.split()))


def test_labels_of_several_rows_may_be_complete(tmp_path: Path) -> None:
    path = saved(tmp_path, "filename,label\na,cat\nb,cat\nb,dog\n")
    found = read_tags(path, TABLE, complete=True)
    assert found["a"].tags == Tags(frozenset({"cat"}), frozenset({"dog"}))
    assert found["b"].tags == Tags(frozenset({"cat", "dog"}))


def test_rows_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, "image,label,present\na,cat,yes\na,cat,no\n")
    with pytest.raises(FormatError, match=r"the image 'a' has and lacks cat\n.*:3"):
        read_tags(path, TABLE)


def test_a_class_called_like_a_heading_is_a_class(tmp_path: Path) -> None:
    table = ClassTable.of(["background", "label"])
    assert read_tags(saved(tmp_path, "image,label\na,1\n"), table)["a"].tags == Tags(frozenset({"label"}))


@pytest.mark.parametrize(
    ("heading", "row"),
    [
        ("filename,width,height,class,xmin,ymin,xmax,ymax", "a.png,60,50,cat,1,2,30.5,40"),
        ("image_path,xmin,ymin,xmax,ymax,label", "a.png,1,2,30.5,40,cat"),
        ("label;File;x1;y1;x2;y2;confidence", "cat;a.png;1;2;30.5;40;0.5"),
        ("image\tcategory\tx_min\ty_min\twidth\theight", "a.png\tcat\t1\t2\t29.5\t38"),
        ("label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width", "cat,1,2,29.5,38,a.png,60"),
        ("filename,name,x_center,y_center,width,height", "a.png,cat,15.75,21,29.5,38"),
        ("img,object,Left,Top,Right,Bottom", "a.png,cat,1,2,30.5,40"),
        ("filename,label,x,y,w,h", "a.png,cat,1,2,29.5,38"),
    ],
)
def test_boxes_as_rows(tmp_path: Path, heading: str, row: str) -> None:
    path = saved(tmp_path, f"{heading}\n{row}\n")
    assert recognise(path).name == "boxes"
    (one,) = read_box_table(path).values()
    assert one.image == "a.png"
    assert one.boxes == (CAT,)
    assert one.size == ((50, 60) if "xmax" in heading and "width" in heading else None)


def test_rows_of_one_image_are_put_together_and_empty_ones_say_nothing(tmp_path: Path) -> None:
    text = "image,label,xmin,ymin,xmax,ymax\na,cat,1,2,30.5,40\nb,,,,,\na,dog,1,1,2,2\n"
    found = read_box_table(saved(tmp_path, text))
    assert list(found) == ["a"]
    assert found["a"].boxes == (CAT, Box("dog", 1.0, 1.0, 2.0, 2.0))


HEADING = "image,label,xmin,ymin,xmax,ymax\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEADING}a,cat,1,2,3\n", ":2"),
        (f"{HEADING}a,cat,1,2,3,x\n", "'x'"),
        (f"{HEADING}a,cat,1,2,3,nan\n", "finite"),
        (f"{HEADING}a,cat,5,2,3,9\n", "empty"),
        (f"{HEADING}a,,1,2,3,9\n", "no class"),
        (f"{HEADING},cat,1,2,3,9\n", "no image"),
        (f"{HEADING}a,cat,0.1,0.2,0.3,0.9\n", "shares of the sides"),
        ("image,xmin,ymin,xmax,ymax\na,1,2,3,4\n", "headings"),
        ("image,label,xmin,xmin,ymin,xmax,ymax\na,cat,1,1,2,3,4\n", "two columns"),
        ("image,width,height,label,xmin,ymin,xmax,ymax\na,9,9,c,1,2,3,4\na,9,8,c,1,2,3,4\n", "two sizes"),
    ],
)
def test_faults_name_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = saved(tmp_path, text)
    assert is_box_table(path)
    with pytest.raises(FormatError, match=message) as caught:
        read_box_table(path)
    assert "x.csv" in str(caught.value)


def test_a_table_of_boxes_beside_photographs_is_a_data_set(tmp_path: Path) -> None:
    Image.new("RGB", (60, 50)).save(tmp_path / "a.png")
    write_box_table(tmp_path / "train_labels.csv", [Hints("a", (50, 60), shapes=(CAT,))], {"a": "a.png"})
    data = open_dataset(tmp_path)
    assert data.classes.names == ("background", "cat")
    found, _ = read_any_hints(data.annotations, data)
    assert found["a"].boxes == (CAT,)
