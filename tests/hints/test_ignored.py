"""Ignored areas: unknown pixels that take away what lies below, in every step that hints pass through."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from underpaint.annotations.format import Format, Reading, Writing
from underpaint.annotations.jsonl import hint_record, read_hints, write_hints
from underpaint.annotations.registry import WRITABLE
from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError
from underpaint.datasets.adapt import Losses, adapt
from underpaint.hints.candidates import ImageKnowledge, build_candidates
from underpaint.hints.check import check_hints, of_table
from underpaint.hints.ignore import class_words, ignored_area, resolve_labels
from underpaint.hints.merge import merge_hints
from underpaint.hints.parts import Part, parts
from underpaint.hints.rasterise import UNKNOWN, numbered, paint_regions
from underpaint.hints.rest import fill_rest
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Kind, Polygon, Region, Scribble, Tags

TABLE = ClassTable.of(["background", "cat", "dog"])
SIZE = (4, 6)
U = UNKNOWN


def block(name: str, x0: int, y0: int, x1: int, y1: int) -> Polygon:
    return Polygon(name, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


HOLE = Hints("a", size=SIZE, shapes=(block("cat", 0, 0, 4, 4), block(IGNORED, 2, 0, 6, 2), block("dog", 5, 0, 6, 4)))
"""A cat on the left; over its upper right and beyond, an ignored area; over that a dog in the last column."""

SEEN = [[1, 1, U, U, U, 2], [1, 1, U, U, U, 2], [1, 1, 1, 1, U, 2], [1, 1, 1, 1, U, 2]]


def painted(hints: Hints) -> list[list[int]]:
    rows: list[list[int]] = paint_regions(numbered(hints.regions, TABLE), SIZE).tolist()
    return rows


def test_an_ignored_area_is_unknown_and_takes_away_what_lies_below() -> None:
    assert painted(HOLE) == SEEN


def test_it_names_no_class_and_is_no_hint_by_itself() -> None:
    assert HOLE.drawn() == ["cat", "dog"]
    assert list(HOLE.names()) == ["cat", "dog"]
    alone = replace(HOLE, shapes=HOLE.ignored())
    assert alone.kinds() == frozenset()
    assert HOLE.kinds() == {Kind.MASK}
    check_hints(replace(HOLE, tags=Tags(absent=frozenset({"background"}))), TABLE, "here")
    assert ImageKnowledge.of(HOLE, TABLE).present.tolist() == [False, True, True]


def test_the_rest_leaves_it_unknown() -> None:
    assert painted(fill_rest(HOLE, "background", TABLE)) == [[0 if v == U and r > 1 else v for v in row] for r, row in
                                                            enumerate(SEEN)]  # fmt: skip
    stroked = replace(HOLE, shapes=(Click("dog", 4.5, 3.5), *HOLE.shapes))
    rows = painted(fill_rest(stroked, "background", TABLE))
    assert rows[2:] == [[1, 1, 1, 1, 0, 2], [1, 1, 1, 1, U, 2]]
    assert rows[:2] == SEEN[:2]


def test_a_shape_of_unknown_place_keeps_the_rest_unknown() -> None:
    for one in (HOLE, Hints("a", size=SIZE, shapes=(Box("cat", 1, 1, 3, 3),))):
        lost = replace(one, unplaced=1)
        assert fill_rest(lost, "background", TABLE) == lost
        assert fill_rest(one, "background", TABLE) != one


def test_boxes_say_nothing_on_it() -> None:
    """The rest of boxes: outside them background alone, on the ignored column and rows all classes again."""
    hints = Hints("a", size=SIZE, shapes=(Box("cat", 0, 0, 2, 4), block(IGNORED, 1, 0, 3, 4)))
    filled = fill_rest(hints, "background", TABLE)
    knowledge = ImageKnowledge.of(filled, TABLE)
    assert filled.boxed == {"cat", "dog"}
    assert not knowledge.absent.any(), "a dog may be where nothing is known"
    boxes, nothing = np.array([[0.0, 0.0, 2.0, 4.0]]), np.zeros(SIZE, bool)
    nothing[:, 1:3] = True
    allowed = build_candidates(knowledge, np.full(SIZE, U, np.uint8), boxes, [1], 0, nothing).allowed()
    row = [[True, True, False], [True, True, True], [True, True, True], *[[True, False, False]] * 3]
    assert allowed.tolist() == [row] * 4


def test_what_is_outside_the_table_is_counted_and_ignored() -> None:
    """A region in its place, a box below all areas, a stroke and a click above them."""
    hints = Hints(
        "a",
        size=SIZE,
        shapes=(
            Click("owl", 0.5, 0.5),
            Scribble("owl", ((0.5, 3.5), (1.5, 3.5)), 1.0),
            Box("owl", 0, 0, 6, 4),
            Box("cat", 0, 0, 4, 4),
            block("cat", 0, 0, 4, 4),
            block("owl", 2, 0, 6, 2),
            block("dog", 5, 0, 6, 4),
        ),
        tags=Tags(frozenset({"owl", "cat"}), frozenset()),
        boxed=frozenset({"owl", "cat"}),
    )
    counts: Counter[str] = Counter()
    kept = of_table(hints, TABLE.names, counts)
    assert counts == {"owl": 5}
    assert set(kept.names()) == {"cat", "dog"}
    assert kept.boxes == hints.boxes[1:]
    assert kept.boxed == {"cat"}
    expected = [[U, *SEEN[0][1:]], SEEN[1], SEEN[2], [U, U, *SEEN[3][2:]]]
    assert painted(kept) == expected
    assert painted(fill_rest(replace(kept, shapes=kept.regions), "background", TABLE)) == expected, (
        "the box covered all of it"
    )
    same = Hints("a", shapes=HOLE.regions)
    assert of_table(same, TABLE.names, counts) is same


@pytest.mark.parametrize(
    "shape",
    [Click("owl", 2.9, 1.0), Scribble("owl", ((1.5, 2.5), (3.5, 2.5)), 1.0), Box("owl", 1, 1, 3, 4),
     block("owl", 0, 1, 2, 3), Bitmap("owl", 1, 1, 2, 1, (1, 1))],
)  # fmt: skip
def test_an_ignored_area_covers_the_pixels_of_its_shape(shape: Click | Scribble | Box | Region) -> None:
    expected = {
        Click: {(1, 2)},
        Scribble: {(2, 1), (2, 2), (2, 3)},
        Box: {(r, c) for r in (1, 2, 3) for c in (1, 2)},
        Polygon: {(r, c) for r in (1, 2) for c in (0, 1)},
        Bitmap: {(1, 2)},
    }[type(shape)]
    below = np.zeros(SIZE, np.uint8)
    paint_regions([(UNKNOWN, ignored_area(shape))], SIZE, below)
    assert {tuple(place) for place in np.argwhere(below == UNKNOWN).tolist()} == expected


def test_a_stroke_over_a_huge_photograph_becomes_its_rectangle() -> None:
    area = ignored_area(Scribble("owl", ((0.0, 0.0), (90_000.0, 90_000.0)), 2.0))
    assert area == block(IGNORED, -2, -2, 90_003, 90_003)


def test_our_hints_file_states_it(tmp_path: Path) -> None:
    hole = Polygon(IGNORED, ((0.0, 0.0), (5.0, 0.0), (5.0, 4.0)), (((1.0, 1.0), (2.0, 1.0), (2.0, 2.0)),))
    bitmap = Bitmap(IGNORED, 1, 1, 2, 1, (1, 1))
    hints = replace(HOLE, shapes=(*HOLE.shapes, hole, bitmap), unplaced=3)
    write_hints(tmp_path / "h.jsonl", [hints])
    assert read_hints(tmp_path / "h.jsonl", TABLE) == {"a": hints}
    assert hint_record(hints)["regions"][1]["ignored"] is True


@pytest.mark.parametrize("said", ['"ignored": false', '"ignored": true, "class": "cat"', '"class": ""'])
def test_our_hints_file_refuses_half_a_statement(said: str, tmp_path: Path) -> None:
    file = tmp_path / "h.jsonl"
    region = f'{{{said}, "points": [[0, 0], [5, 0], [5, 4]]}}'
    file.write_text(f'{{"underpaint": "hints", "version": 1}}\n{{"image": "a", "regions": [{region}]}}\n')
    with pytest.raises(FormatError):
        read_hints(file)


def test_sources_are_merged_with_it() -> None:
    merged = merge_hints(replace(HOLE, unplaced=1), replace(HOLE, shapes=HOLE.regions[1:2], unplaced=2))
    assert merged.regions == (*HOLE.regions, HOLE.regions[1])
    assert merged.unplaced == 3


AREAS = [form for form in WRITABLE if {Part.POLYGONS, Part.BITMAPS} & (form.holds | form.as_pixels)]


@pytest.mark.parametrize("form", AREAS, ids=lambda form: form.name)
def test_every_format_of_areas_writes_it_or_cuts_it_out(form: Format, tmp_path: Path) -> None:
    """Read again, the pixels are the same; where the format has no word for it, that is counted as lost."""
    losses = Losses()
    losses.count(HOLE, form)
    stated = Part.IGNORED in form.holds | form.as_pixels
    assert (Part.IGNORED in losses.lost) is not stated
    out = tmp_path / f"out{form.layout.split()[1] if form.one_file else ''}"
    from PIL import Image

    photograph = tmp_path / "a.jpg"
    Image.new("RGB", SIZE[::-1]).save(photograph)
    form.write(out, [adapt(HOLE, form, None)], Writing(TABLE, {"a": "a.jpg"}))
    read = form.hints(out, Reading(TABLE, tmp_path, {"a": photograph}))
    back = next(iter(read.values()))
    if form.name == "masks":
        assert np.array(Image.open(out / "a.png")).tolist() == SEEN
        return
    assert painted(back) == SEEN
    assert bool(back.ignored()) is (Part.IGNORED in form.holds)


def test_words_of_tools_are_understood() -> None:
    """labelme's words, on every kind of shape; a person's ignored box lies above the areas."""
    hints = Hints(
        "a",
        size=SIZE,
        shapes=(
            Box("__ignore__", 0, 3, 6, 4),
            Box("_background_", 0, 0, 2, 2),
            block("cat", 0, 0, 4, 4),
            block("__ignore__", 2, 0, 6, 2),
            block("_background_", 5, 0, 6, 4),
        ),
        tags=Tags(frozenset({"__ignore__", "_background_"})),
    )
    read = resolve_labels(hints, TABLE)
    assert painted(read) == [[1, 1, U, U, U, 0], [1, 1, U, U, U, 0], [1, 1, 1, 1, U, 0], [U] * 6]
    assert read.boxes == (Box("background", 0, 0, 2, 2),)
    assert read.tags == Tags(frozenset({"background"}))
    own = ClassTable.of(["_background_", "cat"], None)
    assert resolve_labels(hints, own).boxes == (Box("_background_", 0, 0, 2, 2),)
    assert class_words(("__ignore__", "_background_", "cat", "background"), "background") == ("background", "cat")


def test_the_parts_of_hints_count_it() -> None:
    assert parts(replace(HOLE, unplaced=2)) == {
        Part.POLYGONS: 2, Part.IGNORED: 1, Part.UNPLACED: 2, Part.SIZES: 1
    }  # fmt: skip
