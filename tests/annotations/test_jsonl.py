"""The hints file: exact round trip, and every bad line named."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, FormatError, HintError, UnderpaintError
from underpaint.core.paths import leads_out
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Scribble, Tags

HEADER = '{"underpaint": "hints", "version": 1}\n'
FULL = Hints(
    image="pets/a",
    size=(240, 320),
    shapes=(
        Click("cat", 4.5, 5.5),
        Scribble("cat", ((3.5, 3.5), (6.0, 4.0))),
        Scribble("dog", ((1.0, 2.0),), width=1.5),
        Box("cat", 1.0, 2.0, 9.0, 7.5),
        Polygon("cat", ((1.0, 1.0), (8.0, 1.0), (8.0, 7.5)), (((2.0, 2.0), (3.0, 2.0), (3.0, 3.0)),)),
        Bitmap("dog", 3, 2, 4, 2, (1, 3, 4)),
    ),
    boxed=frozenset({"cat", "dog"}),
    tags=Tags(frozenset({"cat"}), frozenset({"owl"})),
    mask="labels/a.png",
    source="anna",
    seconds=21.25,
)

names = st.text(min_size=1, max_size=8)
numbers = st.floats(-1e8, 1e8)
clicks = st.builds(Click, names, numbers, numbers)
strokes = st.builds(
    Scribble,
    names,
    st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4).map(tuple),
    width=st.floats(1e-3, 50),
)
boxes = st.tuples(names, numbers, numbers, numbers, numbers).filter(lambda b: b[1] < b[3] and b[2] < b[4])
tags = st.tuples(st.frozensets(names, max_size=3), st.frozensets(names, max_size=3)).map(
    lambda pair: Tags(pair[0], pair[1] - pair[0])
)
rings = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=4).map(tuple)
polygons = st.builds(Polygon, names, rings, st.lists(rings, max_size=2).map(tuple))
bitmaps = st.tuples(names, st.integers(-9, 9), st.integers(-9, 9), st.lists(st.integers(0, 9), min_size=1)).map(
    lambda b: Bitmap(b[0], b[1], b[2], sum(b[3]) + 1, 1, (*b[3], 1))
)
every_hints = st.builds(
    Hints,
    image=names,
    size=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    shapes=st.lists(clicks | strokes | boxes.map(lambda b: Box(*b)) | polygons | bitmaps, max_size=9).map(tuple),
    boxed=st.frozensets(names, max_size=3),
    tags=st.none() | tags,
    mask=st.none() | names.filter(lambda name: not leads_out(name)),
    source=st.text(max_size=8),
    seconds=st.none() | st.floats(0, 1e6),
)


def sensible(one: Hints) -> Hints:
    """The same without tags that call a drawn class absent, which the writer refuses."""
    drawn = {shape.name for shape in one.shapes}
    return replace(one, tags=Tags(one.tags.present, one.tags.absent - drawn)) if one.tags else one


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("os.fsync", lambda handle: None)  # hundreds of flushes take seconds and show nothing here
    return tmp_path / "hints.jsonl"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(every_hints.map(sensible), max_size=4, unique_by=lambda one: one.image))
def test_what_is_written_reads_back_exactly(file: Path, every: list[Hints]) -> None:
    write_hints(file, every)
    back = read_hints(file)
    assert list(back.values()) == every
    first = file.read_bytes()
    write_hints(file, back.values())
    assert file.read_bytes() == first


def test_the_documented_line(file: Path) -> None:
    """Against a literal line, so that reader and writer cannot agree on a mistake."""
    line = (
        '{"boxed": ["cat", "dog"], "boxes": [{"class": "cat", "x0": 1.0, "x1": 9.0, "y0": 2.0, "y1": 7.5}], '
        '"clicks": [{"class": "cat", "x": 4.5, "y": 5.5}], "height": 240, "image": "pets/a", "mask": "labels/a.png", '
        '"regions": [{"class": "cat", "holes": [[[2.0, 2.0], [3.0, 2.0], [3.0, 3.0]]], '
        '"points": [[1.0, 1.0], [8.0, 1.0], [8.0, 7.5]]}, '
        '{"class": "dog", "height": 2, "runs": [1, 3, 4], "width": 4, "x": 3, "y": 2}], '
        '"scribbles": [{"class": "cat", "points": [[3.5, 3.5], [6.0, 4.0]], "width": 3.0}, '
        '{"class": "dog", "points": [[1.0, 2.0]], "width": 1.5}], "seconds": 21.25, "source": "anna", '
        '"tags": {"absent": ["owl"], "present": ["cat"]}, "width": 320}\n'
    )
    write_hints(file, [FULL])
    assert file.read_text() == HEADER + line
    assert read_hints(file) == {"pets/a": FULL}


def test_names_are_kept_whatever_they_hold(file: Path) -> None:
    strange = [
        Hints(image=name) for name in ("a b", "ä/日本", "../up", 'quote"', "line\nbreak", "\udc80broken", "\u2028")
    ]
    write_hints(file, strange)
    assert list(read_hints(file).values()) == strange


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"image": "a", "clicks": [{"class": "cat", "x": NaN, "y": 1}]}', "NaN"),
        ('{"image": "a", "clicks": [{"class": "cat", "x": 1e999, "y": 1}]}', "finite"),
        ('{"image": "a", "clicks": [{"class": "cat", "x": true, "y": 1}]}', "finite"),
        ('{"image": "a", "clicks": [{"class": "cat", "x": 1}]}', "'y' is missing"),
        ('{"image": "a", "clicks": {"class": "cat"}}', "a list"),
        ('{"image": "a", "clikcs": []}', "did you mean"),
        ('{"image": "a", "image": "b"}', "given twice"),
        ('{"image": ""}', "not empty"),
        ('{"image": "a", "height": 5}', "'width' is missing"),
        ('{"image": "a", "height": 0, "width": 4}', ">= 1"),
        ('{"image": "a", "scribbles": [{"class": "cat", "points": [], "width": 3}]}', "at least one point"),
        ('{"image": "a", "scribbles": [{"class": "cat", "points": [[1, 2]], "width": 0}]}', "> 0"),
        ('{"image": "a", "boxes": [{"class": "cat", "x0": 3, "y0": 0, "x1": 3, "y1": 5}]}', "empty"),
        ('{"image": "a", "tags": {"present": ["cat"], "absent": ["cat"]}}', "also tagged or drawn"),
        (
            '{"image": "a", "tags": {"absent": ["cat"]}, "clicks": [{"class": "cat", "x": 1, "y": 1}]}',
            "also tagged or drawn",
        ),
        ('{"image": "a", "seconds": -1}', ">= 0"),
        ('{"image": "a", "regions": [{"class": "cat", "points": [[1, 2], [3, 4]]}]}', "ring of 2 points"),
        ('{"image": "a", "regions": [{"class": "cat", "points": [[1, 2]], "holes": [3]}]}', "lists of points"),
        ('{"image": "a", "regions": [{"class": "cat", "points": [[1, 2], [3, 4], [1e999, 5]]}]}', "finite"),
        ('{"image": "a", "regions": [{"class": "cat", "x": 0, "y": 0, "width": 2, "height": 2, "runs": [3]}]}', "sum"),
        (
            '{"image": "a", "regions": [{"class": "c", "x": 0, "y": 0, "width": 1, "height": 1, "runs": []}]}',
            "sum to 0",
        ),
        (
            '{"image": "a", "regions": [{"class": "c", "x": 0, "y": 0, "width": 99999, "height": 99999, "runs": [1]}]}',
            "99999 pixels",
        ),
        ('{"image": "a", "regions": [{"class": "c", "x": 0, "y": 0, "width": 1, "height": 1, "runs": [-1]}]}', ">= 0"),
        ("[" * 100_000, "JSON"),
        ("[1, 2]", "object"),
        ("not json", "JSON"),
    ],
)
def test_a_bad_line_is_named(file: Path, line: str, message: str) -> None:
    file.write_text(f'{HEADER}{{"image": "fine"}}\n{line}\n')
    with pytest.raises((FormatError, HintError), match=message) as caught:
        read_hints(file)
    assert f"{file}:3" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b'{"image": "a"}\n', "not a hints file"),
        (b'{"underpaint": "hints", "version": 2}\n', "version 2"),
        (b"\xff\xfe\x00", "UTF-8"),
        (HEADER.encode() + b'{"image": "a"}\n{"image": "a"}\n', "twice"),
    ],
)
def test_a_bad_file_is_refused(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_hints(file)


def test_a_missing_file_is_an_error(file: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_hints(file)


def test_class_names_are_checked_against_the_table(file: Path) -> None:
    file.write_text(HEADER + '{"image": "a", "clicks": [{"class": "catt", "x": 1, "y": 1}]}\n')
    assert read_hints(file)["a"].clicks[0].name == "catt"
    with pytest.raises(HintError, match="did you mean 'cat'") as caught:
        read_hints(file, ClassTable.of(["background", "cat"]))
    assert f"{file}:2" in str(caught.value)


def test_an_overlong_line_is_refused_before_it_is_parsed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("underpaint.annotations.jsonl.read.MAX_LINE", 100)
    file.write_text(HEADER + json.dumps({"image": "a" * 100}) + "\n")
    with pytest.raises(FormatError, match="too long"):
        read_hints(file)


@pytest.mark.parametrize(
    "bad",
    [
        [Hints("a"), Hints("a")],
        [Hints("a", shapes=(Click("cat", math.nan, 1.0),))],
        [Hints("a", shapes=(Scribble("cat", ()),))],
        [Hints("a", seconds=-1.0)],
    ],
)
def test_the_writer_refuses_nonsense_and_keeps_the_old_file(file: Path, bad: list[Hints]) -> None:
    write_hints(file, [FULL])
    with pytest.raises(HintError):
        write_hints(file, bad)
    assert read_hints(file) == {"pets/a": FULL}
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_full_disk_keeps_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hints(file, [FULL])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        write_hints(file, [Hints("b")])
    assert read_hints(file) == {"pets/a": FULL}
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_bytes_give_hints_or_a_typed_error(file: Path, data: st.DataObject) -> None:
    write_hints(file, [FULL, Hints("b", tags=Tags(frozenset({"cat"})))])
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        back = read_hints(file)
    except UnderpaintError:
        return
    assert all(name == one.image for name, one in back.items())
