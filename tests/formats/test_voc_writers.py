"""VOC's box XML, ScribbleSup's XML and What's the Point's JSON as we write them, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from underpaint.annotations.format import Writing
from underpaint.annotations.jsonl import write_hints
from underpaint.annotations.registry import format_named, recognise
from underpaint.annotations.scribblesup import read_scribblesup, write_scribblesup
from underpaint.annotations.voc_xml import read_voc_boxes, write_voc_boxes
from underpaint.annotations.whats_the_point import background_file, read_clicks, write_clicks
from underpaint.core.atomic import write_atomic
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, FormatError, HintError
from underpaint.datasets.convert import plan_conversion
from underpaint.hints.types import Box, Click, Hints, Scribble, Tags
from underpaint.imagefiles.numbering import VOC

DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
SAMPLE = DATA / "voc_sample"
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the VOC sample is not at hand")
TABLE = ClassTable.of(["background", "cat", "dog"])
CAT = Box("cat", 1, 0, 3, 3)
FOREIGN = "<annotation><object><name>dog</name><bndbox>{}</bndbox></object></annotation>"

BOXES = """<annotation>
	<filename>a.jpg</filename>
	<size>
		<width>4</width>
		<height>3</height>
		<depth>3</depth>
	</size>
	<underpaint>
		<boxed>cat</boxed>
		<tags>
			<present>cat</present>
			<absent>dog</absent>
		</tags>
	</underpaint>
	<object>
		<name>cat</name>
		<pose>Unspecified</pose>
		<truncated>0</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>2</xmin>
			<ymin>1</ymin>
			<xmax>3</xmax>
			<ymax>3</ymax>
		</bndbox>
	</object>
</annotation>
"""

LINES = """<annotation>
	<filename>a</filename>
	<underpaint />
	<polygon>
		<tag>plane</tag>
		<point>
			<X>10</X>
			<Y>20.25</Y>
		</point>
	</polygon>
</annotation>
"""


# VOC boxes


def test_voc_boxes_are_written_as_the_official_files_count(tmp_path: Path) -> None:
    """[1, 3) x [0, 3) are the pixels 2..3 and 1..3 counted from 1."""
    tags = Tags(frozenset({"cat"}), frozenset({"dog"}))
    hints = Hints("d/a", size=(3, 4), boxes=(CAT,), boxed=frozenset({"cat"}), tags=tags)
    write_voc_boxes(tmp_path / "out", [hints], file=lambda name: f"{name}.jpg")
    assert (tmp_path / "out/d/a.xml").read_text() == BOXES
    assert read_voc_boxes(tmp_path / "out", TABLE) == {
        "d/a": Hints("d/a", (3, 4), boxes=(CAT,), boxed=hints.boxed, tags=tags, source="VOC boxes")
    }


def test_nothing_is_inferred_from_our_files(tmp_path: Path) -> None:
    write_voc_boxes(tmp_path / "out", [Hints("a", boxes=(CAT,)), Hints("b", tags=Tags())])
    read = read_voc_boxes(tmp_path / "out", TABLE)
    assert read["a"] == Hints("a", boxes=(CAT,), source="VOC boxes")
    assert read["b"] == Hints("b", tags=Tags(), source="VOC boxes")
    write_scribblesup(tmp_path / "lines", [Hints("a", scribbles=(Scribble("cat", ((1, 1),)),))])
    assert read_scribblesup(tmp_path / "lines", TABLE)["a"].tags is None


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ("<xmin>0</xmin><ymin>0</ymin><xmax>3</xmax><ymax>2</ymax>", Box("dog", 0, 0, 4, 3)),
        ("<xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>3</ymax>", Box("dog", 0, 0, 4, 3)),
    ],
)
def test_our_files_and_foreign_ones_count_by_themselves(tmp_path: Path, corners: str, expected: Box) -> None:
    """A box that reaches over the border has a number below 1, and says nothing of how the other files count."""
    over = Box("cat", -0.5, 0.25, 2.5, 2)
    write_voc_boxes(tmp_path / "out", [Hints("a", boxes=(over, CAT))])
    (tmp_path / "out/b.xml").write_text(FOREIGN.format(corners))
    read = read_voc_boxes(tmp_path / "out", TABLE)
    assert read["a"].boxes == (over, CAT)
    assert read["a"].boxed == frozenset()
    assert read["b"].boxes == (expected,)
    assert read["b"].boxed == {"cat", "dog"}
    assert read_voc_boxes(tmp_path / "out", TABLE, base=0)["a"].boxes == (over, CAT)


def test_a_box_narrower_than_a_pixel_comes_back(tmp_path: Path) -> None:
    thin = Box("cat", 2.25, 1, 2.5, 1.75)
    write_voc_boxes(tmp_path / "out", [Hints("a", boxes=(thin,))])
    assert read_voc_boxes(tmp_path / "out", TABLE)["a"].boxes == (thin,)
    (tmp_path / "b.xml").write_text(FOREIGN.format("<xmin>4</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax>"))
    with pytest.raises(FormatError, match="empty"):
        read_voc_boxes(tmp_path / "b.xml", TABLE)


def test_a_statement_without_a_word_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(BOXES.replace("<absent>dog", "<absent>"))
    with pytest.raises(FormatError, match="<absent> names no class"):
        read_voc_boxes(tmp_path / "a.xml", TABLE)


@needs_sample
def test_real_boxes_keep_their_numbers(tmp_path: Path) -> None:
    folder = SAMPLE / "VOC2012/Annotations"
    read = read_voc_boxes(folder, VOC)
    write_voc_boxes(tmp_path / "out", read.values())
    assert read_voc_boxes(tmp_path / "out", VOC) == read
    for name in read:
        corners = [
            [float(box.findtext(side, "")) for box in ElementTree.parse(root / f"{name}.xml").iterfind("object/bndbox")]
            for root in (folder, tmp_path / "out")
            for side in ("xmin", "ymin", "xmax", "ymax")
        ]
        assert corners[:4] == corners[4:]
        assert corners[0]


# ScribbleSup


def test_scribbles_get_scribblesups_words_and_pixel_numbers(tmp_path: Path) -> None:
    hints = Hints("a", scribbles=(Scribble("aeroplane", ((10.5, 20.75),)),))
    write_scribblesup(tmp_path / "out", [hints], classes=VOC.names)
    assert (tmp_path / "out/a.xml").read_text() == LINES
    assert read_scribblesup(tmp_path / "out", VOC)["a"].scribbles == hints.scribbles


def test_a_table_with_the_word_keeps_the_two_apart(tmp_path: Path) -> None:
    table = ClassTable.of(["plane", "aeroplane"], None)
    hints = Hints("a", scribbles=tuple(Scribble(name, ((1.5, 1.5), (2, 9))) for name in table.names))
    write_scribblesup(tmp_path / "out", [hints], classes=table.names)
    assert read_scribblesup(tmp_path / "out", table)["a"].scribbles == hints.scribbles


@needs_sample
def test_real_scribbles_keep_their_words_and_points(tmp_path: Path) -> None:
    read = read_scribblesup(SAMPLE / "scribbles", VOC)
    write_scribblesup(tmp_path / "out", read.values(), classes=VOC.names)
    assert read_scribblesup(tmp_path / "out", VOC) == read
    for name in read:
        texts = [
            [(item.tag, (item.text or "").strip()) for item in ElementTree.parse(root / f"{name}.xml").iter()]
            for root in (SAMPLE / "scribbles", tmp_path / "out")
        ]
        before, after = ([pair for pair in pairs if pair[0] in ("tag", "X", "Y")] for pairs in texts)
        assert before == after
        assert len(before) > 10


# What both refuse


@pytest.mark.parametrize("write", [write_voc_boxes, write_scribblesup])
@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ([Hints("a", tags=Tags(frozenset({" cat"})))], "' cat' would not come back"),
        ([Hints("a", tags=Tags(frozenset({"c\rat"})))], "would not come back"),
        ([Hints("a", tags=Tags(frozenset({"c\x07at"})))], r"the character '\\x07'"),
        ([Hints("a"), Hints("a")], "given twice"),
        ([Hints("a", size=(0, 1))], "size"),
        ([Hints("../a")], "leads out"),
        ([Hints("a", tags=Tags(frozenset(f"class {i}" for i in range(99))))], "would have .* bytes"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path, Sequence[Hints]], None],
    hints: list[Hints],
    message: str,
) -> None:
    monkeypatch.setattr("underpaint.annotations.voc_xml.write.MAX_BYTES", 1000)
    with pytest.raises((HintError, DataError), match=message):
        write(tmp_path / "out", hints)
    assert not list(tmp_path.iterdir())


# What's the Point

CLICKS = (Click("background", 5, 6), Click("cat", 1.5, 2), Click("background", 7, 8), Click("aeroplane", 3, 4))


def test_clicks_are_vocs_numbers_and_the_background_has_a_file(tmp_path: Path) -> None:
    path = tmp_path / "clicks.json"
    write_clicks(path, [Hints("d/a", clicks=CLICKS), Hints("b"), Hints("c", clicks=(Click("cow", 0, 1),))])
    assert json.loads(path.read_text()) == {
        "d/a": [{"x": 1.5, "y": 2, "cls": 8, "rank": 1}, {"x": 3, "y": 4, "cls": 1, "rank": 2}],
        "c": [{"x": 0, "y": 1, "cls": 10, "rank": 1}],
    }
    beside = tmp_path / "clicks_bg_from_scribbles.json"
    assert json.loads(beside.read_text()) == {"d/a": [{"x": 5, "y": 6, "cls": 0}, {"x": 7, "y": 8, "cls": 0}]}
    assert recognise(path) is recognise(beside) is format_named("whats-the-point")


def test_a_click_file_by_itself_brings_its_background(tmp_path: Path) -> None:
    write_clicks(tmp_path / "clicks.json", [Hints("a", clicks=CLICKS)])
    plan = plan_conversion(tmp_path / "clicks.json", to="underpaint")
    assert plan.hints["a"].clicks == (CLICKS[1], CLICKS[3], CLICKS[0], CLICKS[2])
    assert plan.classes.names == ("background", "aeroplane", "cat")


def test_other_classes_are_refused_by_name(tmp_path: Path) -> None:
    strange = tuple(Click(name, 1, 1) for name in ("unicorn", "cat", "lorry"))
    with pytest.raises(HintError, match=r"2 class\(es\) that VOC has not: lorry, unicorn") as caught:
        write_clicks(tmp_path / "out.json", [Hints("a", clicks=strange)])
    assert "tvmonitor" in str(caught.value)
    with pytest.raises(HintError, match="no click is on one of VOC's 20 classes"):
        write_clicks(tmp_path / "out.json", [Hints("a", clicks=CLICKS[:1])])
    with pytest.raises(HintError, match="given twice"):
        write_clicks(tmp_path / "out.json", [Hints("a", clicks=CLICKS)] * 2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["out.json", "out_bg_from_scribbles.json"])
def test_neither_file_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(DataError, match="under this name already") as caught:
        write_clicks(tmp_path / "out.json", [Hints("a", clicks=CLICKS)])
    assert there in str(caught.value)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_full_disk_leaves_neither_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"

    def full(target: Path, content: bytes) -> None:
        if target == path:
            assert background_file(path).is_file()
            raise DataError("the disk is full")
        write_atomic(target, content)

    monkeypatch.setattr("underpaint.annotations.whats_the_point.read.write_atomic", full)
    with pytest.raises(DataError, match="full"):
        write_clicks(path, [Hints("a", clicks=CLICKS)])
    assert not list(tmp_path.iterdir())


@needs_sample
def test_real_clicks_come_back(tmp_path: Path) -> None:
    for name in ("voc_whats_the_point", "voc_whats_the_point_bg_from_scribbles"):
        read = read_clicks(SAMPLE / f"{name}.json")
        things = {image: one for image, one in read.items() if one.clicks[0].name != "background"}
        if things:
            write_clicks(tmp_path / f"{name}.json", things.values())
            assert read_clicks(tmp_path / f"{name}.json") == things == read


# The registry


@pytest.mark.parametrize(("to", "out"), [("voc", "out"), ("scribblesup", "out"), ("whats-the-point", "out.json")])
def test_conversion_keeps_what_the_format_holds(tmp_path: Path, to: str, out: str) -> None:
    lines = (Scribble("sofa", ((1, 1), (5.5, 2)), width=7.0),)
    full = Hints("a", size=(9, 9), boxes=(Box("cow", 1, 2, 3, 4),), clicks=CLICKS[1:2], scribbles=lines)
    write_hints(tmp_path / "hints.jsonl", [full])
    plan_conversion(tmp_path / "hints.jsonl", to=to).write(tmp_path / out)
    back = plan_conversion(tmp_path / out, to="underpaint")
    assert back.source == format_named(to).title
    one = back.hints["a"]
    expected = {"voc": full.boxes, "scribblesup": (Scribble("sofa", lines[0].points),), "whats-the-point": full.clicks}
    assert (*one.boxes, *one.scribbles, *one.clicks) == expected[to]
    assert (one.tags, one.boxed) == (None, frozenset())
    format_named(to).write(
        tmp_path / f"again{out}", list(plan_conversion(tmp_path / out, to=to).hints.values()), Writing(VOC)
    )
