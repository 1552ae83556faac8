"""VOC's box XML as we write it, what is refused, and ScribbleSup's XML as version 0.1.0 wrote it."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from underpaint.annotations.jsonl import write_hints
from underpaint.annotations.registry import format_named
from underpaint.annotations.scribblesup import read_scribblesup
from underpaint.annotations.voc_xml import read_voc_boxes, write_voc_boxes
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
    hints = Hints("d/a", size=(3, 4), shapes=(CAT,), boxed=frozenset({"cat"}), tags=tags)
    write_voc_boxes(tmp_path / "out", [hints], file=lambda name: f"{name}.jpg")
    assert (tmp_path / "out/d/a.xml").read_text() == BOXES
    assert read_voc_boxes(tmp_path / "out", TABLE) == {
        "d/a": Hints("d/a", (3, 4), shapes=(CAT,), boxed=hints.boxed, tags=tags, source="VOC boxes")
    }


def test_nothing_is_inferred_from_our_files(tmp_path: Path) -> None:
    write_voc_boxes(tmp_path / "out", [Hints("a", shapes=(CAT,)), Hints("b", tags=Tags())])
    read = read_voc_boxes(tmp_path / "out", TABLE)
    assert read["a"] == Hints("a", shapes=(CAT,), source="VOC boxes")
    assert read["b"] == Hints("b", tags=Tags(), source="VOC boxes")


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
    write_voc_boxes(tmp_path / "out", [Hints("a", shapes=(over, CAT))])
    (tmp_path / "out/b.xml").write_text(FOREIGN.format(corners))
    read = read_voc_boxes(tmp_path / "out", TABLE)
    assert read["a"].boxes == (over, CAT)
    assert read["a"].boxed == frozenset()
    assert read["b"].boxes == (expected,)
    assert read["b"].boxed == {"cat", "dog"}
    assert read_voc_boxes(tmp_path / "out", TABLE, base=0)["a"].boxes == (over, CAT)


def test_a_box_narrower_than_a_pixel_comes_back(tmp_path: Path) -> None:
    thin = Box("cat", 2.25, 1, 2.5, 1.75)
    write_voc_boxes(tmp_path / "out", [Hints("a", shapes=(thin,))])
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


def test_nothing_is_inferred_from_lines_that_version_0_1_0_wrote(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(LINES)
    line = Scribble("aeroplane", ((10.5, 20.75),))
    assert read_scribblesup(tmp_path, VOC) == {"a": Hints("a", shapes=(line,), source="ScribbleSup")}
    (tmp_path / "a.xml").write_text(LINES.replace("<underpaint />", ""))
    tags = read_scribblesup(tmp_path, VOC)["a"].tags
    assert tags is not None
    assert (tags.present, len(tags.absent)) == (frozenset({"aeroplane"}), 19)


# What is refused


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ([Hints("a", tags=Tags(frozenset({" cat"})))], "the class name ' cat'"),
        ([Hints("a", tags=Tags(frozenset({"c\rat"})))], "XML would change"),
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
    hints: list[Hints],
    message: str,
) -> None:
    monkeypatch.setattr("underpaint.annotations.voc_xml.write.MAX_BYTES", 1000)
    with pytest.raises((HintError, DataError), match=message):
        write_voc_boxes(tmp_path / "out", hints)
    assert not list(tmp_path.iterdir())


# The registry


def test_conversion_keeps_what_the_format_holds(tmp_path: Path) -> None:
    full = Hints("a", size=(9, 9), shapes=(Click("cat", 1.5, 2), Box("cow", 1, 2, 3, 4)))
    write_hints(tmp_path / "hints.jsonl", [full])
    plan_conversion(tmp_path / "hints.jsonl", to="voc").write(tmp_path / "out")
    back = plan_conversion(tmp_path / "out", to="underpaint")
    assert back.source == format_named("voc").title
    one = back.hints["a"]
    assert (one.boxes, one.clicks, one.tags, one.boxed) == (full.boxes, (), None, frozenset())
