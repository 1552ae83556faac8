"""Which marked pixels are fitted on."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from underpaint.features.pixels import marked_pixels
from underpaint.hints.candidates import Candidates

SETS = np.array([[True, True, True], [True, False, False], [False, True, True]])


def candidates(*marks: tuple[int, slice, slice]) -> Candidates:
    index = np.zeros((40, 60), np.uint8)
    for number, rows, columns in marks:
        index[rows, columns] = number
    return Candidates(SETS, index)


def test_a_click_gives_its_pixel_and_an_area_a_multiple_of_its_side() -> None:
    held = candidates((1, slice(3, 4), slice(5, 6)), (2, slice(10, 30), slice(10, 35)))
    marks = marked_pixels(held, "a")
    assert (marks.chosen == 1).sum() == 1
    assert (marks.chosen == 2).sum() == math.ceil(2 * math.sqrt(500))
    assert (held.index[marks.rows, marks.columns] == marks.chosen).all()


def test_parts_that_do_not_touch_count_each_for_itself() -> None:
    apart = candidates((1, slice(0, 4), slice(0, 4)), (1, slice(20, 24), slice(20, 24)))
    marks = marked_pixels(apart, "a")
    assert ((marks.rows < 10).sum(), (marks.rows > 10).sum()) == (8, 8)


def test_unmarked_pixels_are_never_drawn() -> None:
    assert len(marked_pixels(candidates(), "a").rows) == 0


@given(st.integers(0, 2**31), st.text(max_size=5))
def test_no_pixel_is_drawn_twice_and_the_draw_repeats(seed: int, name: str) -> None:
    held = candidates((1, slice(0, 9), slice(0, 30)), (2, slice(12, 14), slice(0, 60)))
    first, second = (marked_pixels(held, name, seed=seed) for _ in range(2))
    assert np.array_equal(first.rows, second.rows)
    assert len({*zip(first.rows, first.columns, strict=True)}) == len(first.rows)


def test_clicks_have_no_area_and_every_larger_mark_has_one() -> None:
    clicks = [(1, slice(3, 4), slice(5, 6)), (2, slice(30, 31), slice(8, 9))]
    assert not marked_pixels(candidates(*clicks), "a").areas
    assert not marked_pixels(candidates(), "a").areas
    for number, rows, columns in [(1, slice(8, 9), slice(5, 7)), (2, slice(10, 30), slice(10, 35))]:
        assert marked_pixels(candidates(*clicks, (number, rows, columns)), "a", density=0.01).areas
