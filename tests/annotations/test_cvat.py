"""CVAT's XML: minimal files with known answers, round trips, hostile files."""

from __future__ import annotations

import contextlib
import math
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.annotations.cvat import declared_classes, read_cvat, write_cvat
from underpaint.core.errors import FormatError, HintError, UnderpaintError
from underpaint.hints.rasterise import bitmap_area, paint_regions
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Scribble, Tags

SHAPES = (
    '<polygon label="cat" points="1.0,2.0;5.0,2.0;5.0,9.0" z_order="0"/>'
    '<points label="cat" points="3.0,4.0"/><polyline label="cat" points="1,1;9,9"/><tag label="outdoor"/>'
)
IMAGE = f'<image id="0" name="d/a.jpg" width="640" height="480">{SHAPES}</image>'
MASK = '<mask label="cat" source="manual" occluded="0" rle="0, 2, 1, 1, 4, 1" left="1" top="0" width="3" height="3"/>'


def whole(shapes: str, width: int = 640, height: int = 480, more: str = "") -> str:
    image = f'<image id="0" name="a.jpg" width="{width}" height="{height}"{more}>{shapes}</image>'
    return f"<annotations>{image}</annotations>"


def read(tmp_path: Path, text: str, left_out: Counter[str] | None = None) -> dict[str, Hints]:
    path = tmp_path / "annotations.xml"
    path.write_text(text, encoding="utf-8")
    return read_cvat(path, left_out=left_out)


def test_the_minimal_file(tmp_path: Path) -> None:
    assert read(tmp_path, f"<annotations><version>1.1</version>{IMAGE}</annotations>") == {
        "d/a": Hints(
            "d/a",
            (480, 640),
            shapes=(Click("cat", 3, 4), Scribble("cat", ((1, 1), (9, 9))), Polygon("cat", ((1, 2), (5, 2), (5, 9)))),
            tags=Tags(frozenset({"outdoor"})),
            source="CVAT",
        )
    }


def test_a_mask_runs_row_by_row_in_its_own_box(tmp_path: Path) -> None:
    """0110 / 0100 / 0001, worked by hand; the runs begin with what is outside."""
    (region,) = read(tmp_path, whole(MASK, 4, 3))["a"].regions
    assert region == Bitmap("cat", 1, 0, 3, 3, (0, 2, 1, 1, 4, 1))
    assert paint_regions([(1, region)], (3, 4)).tolist() == [[255, 1, 1, 255], [255, 1, 255, 255], [255, 255, 255, 1]]


def test_regions_lie_in_the_order_of_z(tmp_path: Path) -> None:
    shapes = "".join(
        f'<polygon label="{name}" points="0,0;9,0;9,9" z_order="{z}"/>'
        for name, z in (("top", 2), ("low", -1), ("b", 0))
    )
    regions = read(tmp_path, whole(shapes + '<polygon label="c" points="0,0;9,0;9,9"/>'))["a"].regions
    assert [region.name for region in regions] == ["low", "b", "c", "top"]


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        # Of the box [100, 140) x [40, 60) about its middle (120, 50).
        ("0", (100, 40, 140, 60)),
        ("90", (110, 30, 130, 70)),
        ("270.0", (110, 30, 130, 70)),
        (
            "45",
            (120 - 30 * math.sqrt(0.5), 50 - 30 * math.sqrt(0.5), 120 + 30 * math.sqrt(0.5), 50 + 30 * math.sqrt(0.5)),
        ),
    ],
)
def test_a_turned_box_keeps_its_extent(tmp_path: Path, angle: str, expected: tuple[float, ...]) -> None:
    left_out: Counter[str] = Counter()
    text = whole(f'<box label="cat" xtl="100" ytl="40" xbr="140" ybr="60" rotation="{angle}"/>')
    (box,) = read(tmp_path, text, left_out)["a"].boxes
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx(expected)
    assert left_out.total() == (angle == "45")


def test_an_ellipse_is_filled(tmp_path: Path) -> None:
    (region,) = read(tmp_path, whole('<ellipse label="cat" cx="50" cy="40" rx="20" ry="10"/>'))["a"].regions
    painted = paint_regions([(1, region)], (480, 640)) == 1
    row, column = np.mgrid[0:480, 0:640] + 0.5
    inside = ((column - 50) / 20) ** 2 + ((row - 40) / 10) ** 2 < 1
    assert inside.sum() > 600
    assert (painted != inside).sum() <= 4


def test_skeletons_subsets_and_what_is_left_out(tmp_path: Path) -> None:
    left_out: Counter[str] = Counter()
    shapes = (
        '<skeleton label="cat"><points label="nose" outside="0" points="3,4"/>'
        '<points label="tail" outside="1" points="0,0"/></skeleton>'
        '<cuboid label="car" xtl1="1"/><polygon label="cat" points="1,2;3,4"/>'
        '<box label="cat" xtl="5" ytl="5" xbr="5" ybr="9"/><box label="cat" xtl="9" ytl="5" xbr="5" ybr="9"/>'
    )
    found = read(tmp_path, whole(shapes, more=' subset="train"'), left_out)
    one = found.pop("train/a")
    assert not found
    expected = Hints("train/a", (480, 640), shapes=(Click("cat", 3, 4),), source="CVAT")
    assert replace(one, shapes=one.clicks, unplaced=0) == expected
    assert one.ignored() == one.regions, "of what is left out the pixels are ignored"
    assert (len(one.regions), one.unplaced) == (3, 1), "the cuboid lacks its corners"
    assert left_out == {
        "elements 'cuboid'": 1,
        "polygons that cover nothing": 1,
        "boxes without area in the image": 2,
    }


def test_images_that_say_nothing_are_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, whole("")) == {}


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "C:\\x.jpg", "&lt;img onerror=x&gt;", "&#10;", "猫"]
)
def test_names_are_text_to_match(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, whole('<tag label="cat"/>').replace("a.jpg", name))
    assert len(found) == 1
    assert not list(tmp_path.parent.glob("**/passwd"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation/>", "outermost element"),
        ("<annotations><image>", "not XML"),
        ("", "not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', "not XML"),
        ('<annotations><track id="0" label="cat"/></annotations>', "CVAT for video"),
        (whole("<tag/>"), "no 'label'"),
        (whole('<polygon label="a" points="1,2;3"/>'), "'points'"),
        (whole('<polygon label="a" points="1,2;3,nan;4,5"/>'), "finite"),
        (whole('<box label="a" xtl="1" ytl="2" xbr="3"/>'), "no 'ybr'"),
        (whole('<box label="a" xtl="1" ytl="2" xbr="3" ybr="1e999"/>'), "finite"),
        (whole('<polygon label="a" points="1,2;3,4;5,7" z_order="0.5"/>'), "whole number"),
        (whole(MASK.replace("4, 1", "4, 2"), 4, 3), "'rle'"),
        (whole(MASK.replace("4, 1", "-4, 9"), 4, 3), "'rle'"),
        (whole(MASK.replace("4, 1", "four"), 4, 3), "'rle'"),
        (whole(MASK, 3, 3), "within the image"),
        (whole(MASK.replace('width="3"', 'width="99999999"')), "within the image"),
        (whole("", width=10**8, height=10**8), "pixels"),
        (whole("", width=0), "pixels"),
        (whole("").replace('name="a.jpg"', ""), "no 'name'"),
        ("<annotations>" + "<a>" * 30 + "</a>" * 30 + "</annotations>", "in each other"),
    ],
)
def test_faults_name_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path, text)
    assert "annotations.xml" in str(caught.value)


def test_a_missing_file_and_a_foreign_encoding(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_cvat(tmp_path / "no.xml")
    (tmp_path / "a.xml").write_bytes(b'<?xml version="1.0" encoding="klingon"?><annotations/>')
    with pytest.raises(FormatError, match="not XML"):
        read_cvat(tmp_path / "a.xml")


def test_elements_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("underpaint.annotations.cvat.elements.MAX_ELEMENTS", 100)
    with pytest.raises(FormatError, match="101 elements"):
        read(tmp_path, whole('<tag label="a"/>' * 200))
    images = (IMAGE.replace("d/a.jpg", f"{i}.jpg") for i in range(100))
    assert len(read(tmp_path, f"<annotations>{''.join(images)}</annotations>")) == 100  # counted for each image


def test_one_image_is_held_at_a_time(tmp_path: Path) -> None:
    """3,000 images that say nothing: the tree of them all takes 7 MB, one image 0.3 MB."""
    path = tmp_path / "annotations.xml"
    images = (f'<image id="{i}" name="{i}.jpg" width="9" height="9">{"<attribute/>" * 20}</image>' for i in range(3000))
    path.write_text("<annotations>" + "".join(images) + "</annotations>", encoding="utf-8")
    tracemalloc.start()
    try:
        assert not any(one.kinds() for one in read_cvat(path).values())
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_the_labels_that_a_file_declares(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    write_cvat(path, [], classes=["sky", "<cat>", "dog"])
    assert declared_classes(path) == ("sky", "<cat>", "dog")
    write_cvat(path, [])
    assert declared_classes(path) == ()


# Round trips

SIZE = (7, 9)
NAMES = st.sampled_from(["cat", "a;b", "<b>&\"'", "猫", "tab\there\nand\r"])
NUMBERS = st.floats(0, 7)
points = st.tuples(NUMBERS, NUMBERS)
boxes = st.builds(Box, NAMES, NUMBERS, NUMBERS, NUMBERS, NUMBERS).filter(
    lambda box: box.x0 < box.x1 and box.y0 < box.y1 and box.area > 0
)


def bitmap(name: str, x: int, y: int, width: int, height: int, seed: int) -> Bitmap:
    """Random runs, some of them empty."""
    cuts = np.sort(np.random.default_rng(seed).integers(0, width * height + 1, 4))
    return Bitmap(name, x, y, width, height, tuple(np.diff(cuts, prepend=0, append=width * height).tolist()))


bitmaps = st.builds(bitmap, NAMES, *[st.integers(0, 3)] * 2, *[st.integers(1, 4)] * 2, st.integers(0, 99))


def on_a_line(ring: tuple[tuple[float, float], ...]) -> bool:
    """Whether a ring covers nothing: such a polygon is left out, and counted, when it is read."""
    return all(
        (x - ring[0][0]) * (w - ring[0][1]) == (y - ring[0][1]) * (v - ring[0][0]) for x, y in ring for v, w in ring
    )


rings = st.lists(points, min_size=3, max_size=5).map(tuple).filter(lambda ring: not on_a_line(ring))
everything = st.builds(
    Hints,
    image=st.sampled_from(["a", "pets/b", "../c", "d\te", "<img onerror>"]),
    size=st.just(SIZE),
    shapes=st.lists(
        st.builds(Click, NAMES, NUMBERS, NUMBERS)
        | st.builds(Scribble, NAMES, st.lists(points, min_size=1, max_size=3).map(tuple))
        | boxes
        | st.builds(Polygon, NAMES, rings)
        | bitmaps,
        max_size=8,
    ).map(tuple),
    tags=st.none() | st.builds(Tags, st.frozensets(NAMES, min_size=1)),
    source=st.just("CVAT"),
)


@settings(deadline=None, max_examples=40)
@given(everything.filter(lambda hints: bool(hints.kinds())))
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, hints: Hints) -> None:
    path = tmp_path_factory.mktemp("cvat") / "annotations.xml"
    write_cvat(path, [hints], file=lambda image: f"{image}.jpg")
    assert read_cvat(path) == {hints.image: hints}


def test_a_hole_is_written_as_the_pixels_around_it(tmp_path: Path) -> None:
    ring, hole = ((1.0, 1.0), (6.0, 1.0), (6.0, 4.0), (1.0, 4.0)), ((2.0, 2.0), (3.0, 2.0), (3.0, 3.0), (2.0, 3.0))
    write_cvat(tmp_path / "a.xml", [Hints("a", SIZE, shapes=(Polygon("cat", ring, (hole,)),))])
    (region,) = read_cvat(tmp_path / "a.xml")["a"].regions
    assert isinstance(region, Bitmap)
    assert bitmap_area(region).tolist() == [[True] * 5, [True, False, True, True, True], [True] * 5]


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        (Hints("a", shapes=(Click("cat", 1, 1),)), "size"),
        (Hints("a\x1b[31m", SIZE, shapes=(Click("cat", 1, 1),)), r"'\\x1b'"),
        (Hints("a", SIZE, shapes=(Click("\udc80", 1, 1),)), r"'\\udc80'"),
    ],
)
def test_what_xml_cannot_hold_is_refused_before_writing(tmp_path: Path, hints: Hints, message: str) -> None:
    with pytest.raises(HintError, match=message):
        write_cvat(tmp_path / "a.xml", [hints])
    assert not list(tmp_path.iterdir())


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_damaged_files_are_refused_by_typed_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = f'<annotations>{IMAGE}<image id="1" name="b.jpg" width="4" height="3">{MASK}</image></annotations>'
    at, cut = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 9))
    inserted = data.draw(st.sampled_from(["", "0", "-", '"', "<", "/>", "1e400", "&#0;", "&lt;", ";", ",", "9" * 400]))
    path = tmp_path_factory.mktemp("fuzz") / "a.xml"
    path.write_text(text[:at] + inserted + text[at + cut :], encoding="utf-8")
    with contextlib.suppress(UnderpaintError):
        assert all(hints.states_anything() for hints in read_cvat(path).values())
