"""The logs of `underpaint paint`: any interleaving of writers folds to one result, and nothing acknowledged is lost."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.annotations.foreign import PROJECT

from underpaint.annotations.strokes.fold import Fold, Mark
from underpaint.annotations.strokes.log import LogWriter, logs, read_heads, read_log, writer_of
from underpaint.annotations.strokes.operations import Add, Delete, Operation, Retag, SetState
from underpaint.annotations.strokes.read import read_strokes
from underpaint.core.errors import DataError, FormatError
from underpaint.datasets.open import open_dataset
from underpaint.hints.types import Box, Click, Polygon, Scribble, Tags

CLASSES = st.sampled_from(["cat", "dog"])
PLACE = st.floats(0, 50).map(lambda x: round(x, 1))
POINT = st.tuples(PLACE, PLACE)
SHAPES = st.one_of(
    st.builds(Click, CLASSES, PLACE, PLACE),
    st.builds(Scribble, CLASSES, st.lists(POINT, min_size=1, max_size=4).map(tuple), st.sampled_from([1.0, 3.5])),
    st.builds(lambda name, x, y: Box(name, x, y, x + 2.5, y + 1.0), CLASSES, PLACE, PLACE),
    st.builds(Polygon, CLASSES, st.lists(POINT, min_size=3, max_size=5).map(tuple)),
)
IDS = [f"o{i}" for i in range(12)]


def subsets(taken: frozenset[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(["cat", "dog"])).map(lambda names: names - taken)


WHAT = st.one_of(
    SHAPES.map(Add),
    st.sampled_from(IDS).map(Delete),
    st.frozensets(CLASSES).flatmap(lambda on: st.builds(Retag, st.just(on), subsets(on), st.frozensets(CLASSES))),
    st.sampled_from(["marked", "done"]).map(lambda state: SetState(state)),  # type: ignore[arg-type]
)


@st.composite
def histories(draw: st.DrawFn) -> list[Operation]:
    names = draw(st.permutations(IDS))[: draw(st.integers(0, 10))]
    return [
        Operation(name, draw(st.integers(1, 5)), 1_795_795_856.0 + n, draw(st.sampled_from(["a", "b"])), draw(WHAT))
        for n, name in enumerate(names)
    ]


def plainly(operations: list[Operation], image: str) -> tuple[list[str], Retag | None, str]:
    """What is left, said as the specification says it."""
    ordered = sorted(operations, key=lambda one: (one.n, one.id))
    gone = {one.what.target for one in operations if isinstance(one.what, Delete)}
    mine = [one for one in ordered if one.image == image]
    marks = [one.id for one in mine if isinstance(one.what, Add) and one.id not in gone]
    tags = [one.what for one in mine if isinstance(one.what, Retag)]
    states = [one.what.state for one in mine if isinstance(one.what, SetState)]
    return marks, tags[-1] if tags else None, states[-1] if states else "marked"


@settings(deadline=None, max_examples=60)
@given(operations=histories(), data=st.data())
def test_three_writers_in_any_order_give_one_result(operations: list[Operation], data: st.DataObject) -> None:
    fold = Fold()
    writers = [data.draw(st.sampled_from("xyz")) for _ in operations]
    pieces = [(one, by) for one, by in zip(operations, writers, strict=True)]
    again = data.draw(st.lists(st.sampled_from(pieces), max_size=5)) if pieces else []
    for one, by in data.draw(st.permutations([*pieces, *again])):
        fold.extend([one], by)
    for image in ("a", "b"):
        marks, tags, state = plainly(operations, image)
        held = fold.image(image)
        assert [mark.id for mark in held.marks] == marks
        assert held.tags == tags
        assert held.state == state
    assert len(fold) == len(operations)
    assert fold.clock == max((one.n for one in operations), default=0)


@settings(deadline=None, max_examples=40)
@given(operations=histories(), cut=st.integers(1, 60))
def test_what_was_appended_is_read_again_and_a_torn_end_is_left_out(
    tmp_path_factory: pytest.TempPathFactory, operations: list[Operation], cut: int
) -> None:
    root = tmp_path_factory.mktemp("project")
    writer = LogWriter(root, "Anna B.")
    writer.append(operations[:3])
    writer.append(operations[3:])
    writer.close()
    assert writer.path is not None
    assert writer.path.name.startswith("anna_b_-")
    assert writer_of(writer.path) == "Anna B."
    remarks: Counter[str] = Counter()
    assert [one for one, _ in read_log(writer.path, remarks)] == operations
    assert not remarks
    whole = writer.path.read_bytes()
    if operations:
        writer.path.write_bytes(whole[: -min(cut, len(operations[-1].line()) - 1)])
        assert [one for one, _ in read_log(writer.path, remarks)] == operations[:-1]
        assert remarks.total() == (1 if cut < len(operations[-1].line()) else remarks.total())


@settings(deadline=None, max_examples=60)
@given(
    operations=histories(), names=st.sampled_from([("a", "b"), ('"', "ä/\\n"), ("\udcff", "b\\")]), spaced=st.booleans()
)
def test_heads_fold_to_the_same_as_whole_operations(
    tmp_path_factory: pytest.TempPathFactory, operations: list[Operation], names: tuple[str, str], spaced: bool
) -> None:
    root = tmp_path_factory.mktemp("project")
    named = [replace(one, image=dict(zip("ab", names, strict=True))[one.image]) for one in operations]
    log = root / "me-1.jsonl"
    lines = [json.dumps(json.loads(one.line()), indent=None, separators=(",", ":")) + "\n" for one in named]
    first = b'{"writer":"Anna B."}\n' if spaced else b""
    log.write_bytes(first + ("".join(lines).encode() if spaced else b"".join(one.line() for one in named)))
    whole, heads = Fold(), Fold()
    whole.extend((one for one, _ in read_log(log, Counter())), "me")
    heads.extend(read_heads(log, Counter()), "me")
    assert (len(heads), heads.clock, heads.images()) == (len(whole), whole.clock, whole.images())
    for image in whole.images():
        assert heads.summary(image) == whole.summary(image)
        assert heads.image(image) == whole.image(image)
        drawn = Counter((mark.shape.name, type(mark.shape).__name__.lower(), "me") for mark in whole.image(image).marks)
        assert heads.summary(image).marks == drawn


def test_a_damaged_shape_is_named_when_its_image_is_asked_for(tmp_path: Path) -> None:
    paint = project(tmp_path, add("ok", 1, CAT), {**add("x", 2, {**CAT, "x": 1e300}), "image": "b"})
    log = paint / "strokes" / "me-1.jsonl"
    fold = Fold()
    fold.extend(read_heads(log, Counter()), "me")
    assert fold.summary("b").marks.total() == 1
    assert len(fold.image("a").marks) == 1
    with pytest.raises(FormatError, match=r"'x' is 1e\+300"):
        fold.image("b")
    log.unlink()
    with pytest.raises(FormatError, match="cannot be read"):
        fold.image("b")
    log.write_text(json.dumps(add("z", 1, CAT)) + "\n" * 400)
    with pytest.raises(FormatError, match="the log was changed"):
        fold.image("b")


def project(root: Path, *lines: dict[str, Any]) -> Path:
    paint = root / "paint"
    (paint / "strokes").mkdir(parents=True)
    (paint / "project.json").write_text(PROJECT.replace("]}", ', {"name": "dog", "color": "#56b4e9", "key": null}]}'))
    (paint / "strokes" / "me-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return paint


def add(identifier: str, n: int, hint: dict[str, Any], *, at: float = 0.0) -> dict[str, Any]:
    return {"id": identifier, "n": n, "at": at, "image": "a", "op": "add", "hint": hint}


CAT = {"kind": "click", "class": "cat", "x": 3.5, "y": 4.0}


def test_hints_of_a_project(tmp_path: Path) -> None:
    tags = {
        "id": "t",
        "n": 3,
        "at": 20.0,
        "image": "a",
        "op": "tags",
        "present": [],
        "absent": ["cat", "dog"],
        "boxed": [],
    }
    paint = project(tmp_path, add("x", 1, CAT, at=10.0), add("y", 2, CAT, at=14.5), tags, add("z", 4, CAT, at=90.0))
    hints = read_strokes(paint)["a"]
    assert hints.clicks == (Click("cat", 3.5, 4.0),) * 3
    assert hints.tags == Tags(frozenset(), frozenset({"dog"})), "what is drawn is not absent"
    assert hints.seconds == 10.0, "4.5 and 5.5 seconds; 70 seconds are a pause"
    assert hints.source == "me"


def test_a_data_set_of_photographs_takes_its_marks_and_classes_from_the_page(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.new("RGB", (60, 40)).save(tmp_path / f"{name}.png")
    paint = project(tmp_path, add("x", 1, CAT))
    (paint / "cache").mkdir()
    Image.new("RGB", (60, 40)).save(paint / "cache" / "thumb.png")
    data = open_dataset(tmp_path)
    assert data.classes.names == ("background", "cat", "dog")
    assert sorted(data.images) == ["a", "b"]
    assert data.annotations == (paint,)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"op": "paint"}, "'op' is 'paint'"),
        ({"n": -1}, "'n' is -1"),
        ({"n": 2**60}, "'n' is"),
        ({"id": "../x"}, "'id' is"),
        ({"hint": {**CAT, "kind": "circle"}}, "'kind' is 'circle'"),
        ({"hint": {**CAT, "x": 1e300}}, "'x' is"),
        ({"hint": {"kind": "scribble", "class": "cat", "points": [], "width": 3}}, "'points' is []"),
        ({"more": 1}, "unknown field 'more'"),
        ({"image": ""}, "'image' is ''"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: dict[str, Any], said: str) -> None:
    paint = project(tmp_path, add("ok", 1, CAT), {**add("x", 2, CAT), **line})
    with pytest.raises(FormatError, match=r"me-1\.jsonl:2") as error:
        read_strokes(paint)
    assert said in str(error.value)


def test_the_limits_of_a_reader_hold_for_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paint = project(tmp_path, add("ok", 1, CAT))
    monkeypatch.setattr("underpaint.annotations.strokes.log.MAX_LINE", 50)
    with pytest.raises(FormatError, match="line is too long"):
        read_strokes(paint)
    monkeypatch.setattr("underpaint.annotations.strokes.log.MAX_BYTES", 50)
    with pytest.raises(FormatError, match="at most 50"):
        read_strokes(paint)
    (paint / "strokes" / "me-1.jsonl").unlink()
    os.mkfifo(paint / "strokes" / "me-1.jsonl")
    with pytest.raises(FormatError, match="cannot be read"):
        read_strokes(paint)


def test_a_project_of_a_later_version_is_refused(tmp_path: Path) -> None:
    paint = project(tmp_path)
    (paint / "project.json").write_text(PROJECT.replace('"version": 1', '"version": 2'))
    with pytest.raises(FormatError, match="update underpaint"):
        read_strokes(paint)


def test_a_full_disk_keeps_what_was_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operations = [Operation(f"o{n}", n, 1.0 + n, "a", Add(Click("cat", 1.0, 1.0))) for n in range(3)]
    writer = LogWriter(tmp_path, "me")
    writer.append(operations[:1])
    write = os.write

    def full(handle: int, content: Any) -> int:
        if len(content) > 20:
            return write(handle, content[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DataError, match="nothing can be saved: No space left"):
        writer.append(operations[1:2])
    monkeypatch.undo()
    writer.append(operations[2:])
    assert writer.path is not None
    remarks: Counter[str] = Counter()
    assert [one.id for one, _ in read_log(writer.path, remarks)] == ["o0", "o2"]
    assert not remarks


@pytest.mark.parametrize("name", ["Ben", "ben", "Ünal 😀", 'a "b" \\', "\U0001d5d4" * 60])
def test_a_name_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    paint = project(tmp_path)
    (paint / "strokes" / "me-1.jsonl").unlink()
    writer = LogWriter(paint, name)
    writer.append([Operation("o1", 1, 5.0, "a", Add(Click("cat", 1.0, 1.0)))])
    writer.append([Operation("o2", 2, 6.0, "a", Add(Click("dog", 9.0, 9.0)))])
    assert [writer_of(log) for log in logs(paint)] == [name]
    assert read_strokes(paint)["a"].source == name
    assert len(read_strokes(paint)["a"].shapes) == 2


def test_a_log_without_a_name_has_that_of_its_file(tmp_path: Path) -> None:
    assert read_strokes(project(tmp_path, add("x", 1, CAT)))["a"].source == "me"


@pytest.mark.parametrize("name", [3, "", "a\nb", "x" * 61, "\x1b[31m"])
def test_a_name_that_makes_no_sense_is_refused(tmp_path: Path, name: object) -> None:
    with pytest.raises(FormatError, match=r"'writer' is"):
        read_strokes(project(tmp_path, {"writer": name}, add("x", 1, CAT)))


def test_marks_know_their_author() -> None:
    fold = Fold()
    fold.extend([Operation("o1", 1, 5.0, "a", Add(Click("cat", 1.0, 1.0)))], "anna")
    assert fold.image("a").marks == [Mark("o1", Click("cat", 1.0, 1.0), "anna", 5.0)]


def test_a_deletion_counts_whatever_image_it_names_and_whenever_it_comes() -> None:
    fold = Fold()
    fold.extend([Operation("o1", 1, 5.0, "a", Add(Click("cat", 1.0, 1.0)))], "anna")
    assert fold.image("a").marks
    fold.extend([Operation("o2", 2, 6.0, "b", Delete("o1"))], "ben")
    assert not fold.image("a").marks
