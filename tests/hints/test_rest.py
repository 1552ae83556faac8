"""What no annotation covers stays unknown unless a person says what it is."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.hints.rasterise import UNKNOWN, paint_regions
from underpaint.hints.rest import fill_rest
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Scribble

TABLE = ClassTable.of(["background", "cat", "dog"])
SIZE = (6, 8)
SQUARE = Polygon("cat", ((1, 1), (4, 1), (4, 4), (1, 4)))


def painted(hints: Hints) -> np.ndarray:
    return paint_regions([(TABLE.index(region.name), region) for region in hints.regions], SIZE)


def test_the_rest_of_an_image_with_areas() -> None:
    expected = np.zeros(SIZE, np.uint8)
    expected[1:4, 1:4] = 1
    filled = fill_rest(Hints("a", size=SIZE, shapes=(SQUARE,)), "background", TABLE)
    np.testing.assert_array_equal(painted(filled), expected)
    assert filled.regions[-1] == SQUARE


def test_boxes_and_strokes_cover_as_well() -> None:
    hints = Hints(
        "a",
        size=SIZE,
        shapes=(
            Click("cat", 7.5, 0.5),
            Scribble("dog", ((0.5, 5.5), (3.5, 5.5)), width=1.0),
            Box("dog", 5, 2, 8, 5),
            SQUARE,
        ),
    )
    seen = painted(fill_rest(hints, "background", TABLE))
    expected = np.zeros(SIZE, np.uint8)
    expected[1:4, 1:4] = 1
    expected[2:5, 5:8] = expected[5, 0:4] = expected[0, 7] = UNKNOWN
    np.testing.assert_array_equal(seen, expected)


def test_boxes_alone_become_complete_where_the_rest_is_background() -> None:
    hints = Hints("a", size=SIZE, shapes=(Box("dog", 5, 2, 8, 5),))
    assert fill_rest(hints, "background", TABLE).boxed == {"cat", "dog"}
    assert fill_rest(hints, "cat", TABLE) == hints
    clicked = Hints("a", size=SIZE, shapes=(Click("cat", 1, 1), *hints.boxes))
    assert fill_rest(clicked, "background", TABLE).boxed == {"dog"}  # a cat is somewhere, and has no box


@pytest.mark.parametrize(
    "hints",
    [
        Hints("a", size=SIZE, shapes=(Click("cat", 1, 1),)),
        Hints("a", size=SIZE, mask="a.png", shapes=(SQUARE,)),
        Hints("a", shapes=(SQUARE,)),
        Hints("a", size=SIZE, shapes=(Bitmap("cat", 0, 0, 8, 6, (0, 48)),)),
    ],
)
def test_what_else_stays_as_it_is(hints: Hints) -> None:
    assert fill_rest(hints, "background", TABLE) == hints


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(HintError, match="did you mean 'dog'"):
        fill_rest(Hints("a", size=SIZE), "dogg", TABLE)
