"""One tuple of shapes: kinds are found in it, and equal hints are equal however they were put together."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace

import pytest

from underpaint.hints.merge import merge_hints
from underpaint.hints.parts import SHAPES, Part, part_of, parts
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Kind, Polygon, Scribble, Shape

CLICK, STROKE, BOX = Click("cat", 1, 1), Scribble("dog", ((0, 0), (2, 2))), Box("cat", 0, 0, 2, 2)
AREA, PIXELS = Polygon("dog", ((0, 0), (2, 0), (2, 2))), Bitmap("cat", 0, 0, 1, 1, (0, 1))
EVERY: tuple[Shape, ...] = (CLICK, STROKE, BOX, AREA, PIXELS)


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))), ids=str)
def test_kinds_have_their_place_and_areas_keep_their_order(order: tuple[int, ...]) -> None:
    one = Hints("a", shapes=tuple(EVERY[i] for i in order))
    areas = (AREA, PIXELS) if order.index(3) < order.index(4) else (PIXELS, AREA)
    assert one.shapes == (CLICK, STROKE, BOX, *areas)
    assert (one.clicks, one.scribbles, one.boxes, one.regions) == ((CLICK,), (STROKE,), (BOX,), areas)
    assert one == Hints("a", shapes=(*areas, BOX, STROKE, CLICK))


def test_every_kind_of_shape_is_a_part_and_a_kind() -> None:
    expected = [Part.CLICKS, Part.SCRIBBLES, Part.BOXES, Part.POLYGONS, Part.BITMAPS]
    assert list(map(part_of, EVERY)) == expected == list(SHAPES.values())
    kinds = [Kind.CLICK, Kind.SCRIBBLE, Kind.BOX, Kind.MASK, Kind.MASK]
    for shape, part, kind in zip(EVERY, expected, kinds, strict=True):
        one = Hints("a", shapes=(shape,))
        assert one.kinds() == {kind}
        assert parts(one) == {part: 1}
        assert one.drawn() == [shape.name]


def test_an_area_to_be_ignored_is_no_kind_but_says_something() -> None:
    one = Hints("a", shapes=(replace(AREA, name=IGNORED), replace(PIXELS, name=IGNORED)))
    assert (one.kinds(), one.drawn(), one.ignored(), one.states_anything()) == (frozenset(), [], one.shapes, True)
    assert parts(one) == {Part.IGNORED: 2}


def test_of_two_sources_the_second_lies_above() -> None:
    first, second = Hints("a", shapes=(AREA, CLICK)), Hints("a", shapes=(PIXELS, STROKE))
    assert merge_hints(first, second).shapes == (CLICK, STROKE, AREA, PIXELS)
    assert merge_hints(second, first).shapes == (CLICK, STROKE, PIXELS, AREA)


def test_hints_go_to_another_process_as_they_are() -> None:
    one = Hints("a", shapes=EVERY)
    assert pickle.loads(pickle.dumps(one)) == one
