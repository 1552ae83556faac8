"""What leaves its photograph is refused, or cut at the border: the pixels inside stay what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from underpaint.annotations.jsonl import write_hints
from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.border import cut_ring, cut_scribble
from underpaint.hints.candidates import ImageKnowledge
from underpaint.hints.fit import fit_hints
from underpaint.hints.rasterise import UNKNOWN, numbered, paint_regions, stroke_pixels
from underpaint.hints.rest import fill_rest
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Polygon, Region, Scribble

SIZE = (9, 12)
TABLE = ClassTable.of(["background", "cat", "dog"])

far = st.integers(-60, 90).map(lambda quarters: quarters / 4)
places = st.tuples(far, far)
rings = st.lists(places, min_size=3, max_size=8).map(tuple)
polygons = st.builds(Polygon, st.just("cat"), rings, st.lists(rings, max_size=2).map(tuple))


def stroked(scribble: Scribble) -> set[tuple[int, int]]:
    rows, columns = stroke_pixels(np.array(scribble.points, np.float64), scribble.width, SIZE)
    return set(zip(rows.tolist(), columns.tolist(), strict=True))


def covered(regions: tuple[Region, ...]) -> np.ndarray:
    """By all regions together, each painted as it stands."""
    found = np.zeros(SIZE, bool)
    for region in regions:
        found |= paint_regions([(1, region)], SIZE) == 1
    return found


def on_an_edge(polygon: Polygon) -> np.ndarray:
    """Pixels whose centre an edge passes through, for which rounding decides."""
    close = np.zeros(SIZE, bool)
    for ring in (polygon.ring, *polygon.holes):
        for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], ring[0]), strict=True):
            for row, column in np.ndindex(SIZE):
                across = (x1 - x0) * (row + 0.5 - y0) - (y1 - y0) * (column + 0.5 - x0)
                close[row, column] |= abs(across) < 1e-6
    return close


@settings(max_examples=60, deadline=None)
@given(polygons)
def test_a_polygon_covers_the_same_pixels_after_the_cut(polygon: Polygon) -> None:
    """Of any form, crossing itself and with holes; the painter cuts off what lies outside, so it is the oracle."""
    fitted = fit_hints(Hints("a", shapes=(polygon,)), SIZE, drop=True, where="test")
    expected = covered((polygon,))
    within = all(-1 <= x <= 13 and -1 <= y <= 10 for ring in (polygon.ring, *polygon.holes) for x, y in ring)
    if not within:
        seen, unsure = covered(fitted.hints.regions), on_an_edge(polygon)
        np.testing.assert_array_equal(seen & ~unsure, expected & ~unsure)
        assert (fitted.cut, fitted.dropped) == ((1, 0) if seen.any() else (0, 1))
    for region in fitted.hints.regions:
        assert isinstance(region, Polygon)
        assert all(0 <= x <= 12 and 0 <= y <= 9 for ring in (region.ring, *region.holes) for x, y in ring)


def test_a_ring_is_cut_at_the_border() -> None:
    triangle = ((2.0, -2.0), (14.0, 4.0), (2.0, 4.0))
    assert cut_ring(triangle, SIZE) == ((6.0, 0.0), (12.0, 3.0), (12.0, 4.0), (2.0, 4.0), (2.0, 0.0))
    assert cut_ring(((20.0, 1.0), (22.0, 1.0), (22.0, 3.0)), SIZE) == ()
    huge = ((-1e308, -1e308), (1e308, -1e308), (1e308, 1e308), (-1e308, 1e308))
    assert set(cut_ring(huge, SIZE)) == {(0.0, 0.0), (12.0, 0.0), (12.0, 9.0), (0.0, 9.0)}


@settings(max_examples=80, deadline=None)
@given(
    st.builds(
        Scribble, st.just("cat"), st.lists(places, min_size=1, max_size=6).map(tuple), st.sampled_from([0.5, 1, 3, 7])
    )
)
def test_a_stroke_keeps_its_pixels_inside(scribble: Scribble) -> None:  # fmt: skip
    """Pieces label no pixel that the stroke did not, and what they miss of it is ignored, not free."""
    pieces, beside = cut_scribble(scribble, SIZE)
    kept = set().union(*map(stroked, pieces))
    lost = set() if beside is None else {tuple(place) for place in np.argwhere(covered((beside,))).tolist()}
    # A vertex labels its pixel however thin the pen: each new end on the border labels one as well.
    ends = {(int(y), int(x)) for piece in pieces for x, y in piece.points}
    assert kept - ends <= stroked(scribble) <= kept | lost
    assert not kept & lost
    assert all(0 <= x < 12 and 0 <= y < 9 for piece in pieces for x, y in piece.points)


def test_a_stroke_that_leaves_and_comes_back_is_two() -> None:
    scribble = Scribble("cat", ((2.0, 2.0), (2.0, -6.0), (8.0, -6.0), (8.0, 2.0), (9.0, 3.0)), 1.0)
    fitted = fit_hints(Hints("a", shapes=(scribble,)), SIZE, drop=True, where="test")
    expected = (((2.0, 2.0), (2.0, 0.0)), ((8.0, 0.0), (8.0, 2.0), (9.0, 3.0)))
    assert tuple(one.points for one in fitted.hints.scribbles) == expected
    assert (fitted.cut, fitted.dropped) == (1, 0)


def test_a_pen_that_reaches_in_from_outside_leaves_no_background() -> None:
    """The line lies outside; its pixels inside are unknown, also with the rest."""
    line = Scribble("cat", ((2.5, -3.0), (9.5, -3.0)), 8.0)
    hints = Hints("a", shapes=(line, Polygon("dog", ((0, 5), (12, 5), (12, 9), (0, 9)))))
    fitted = fit_hints(hints, SIZE, drop=True, where="test")
    assert (fitted.cut, fitted.dropped, fitted.hints.scribbles) == (0, 1, ())
    filled = fill_rest(fitted.hints, "background", TABLE)
    row = paint_regions(numbered(filled.regions, TABLE), SIZE)[0].tolist()
    assert row == [0, *[UNKNOWN] * 10, 0]


@settings(max_examples=60, deadline=None)
@given(st.integers(-8, 14), st.integers(-8, 14), st.integers(0, 99))
def test_a_bitmap_keeps_its_pixels_inside(x: int, y: int, seed: int) -> None:
    runs = tuple(np.random.default_rng(seed).multinomial(30, [1 / 7] * 7).tolist())
    bitmap = Bitmap("cat", x, y, 6, 5, runs)
    fitted = fit_hints(Hints("a", shapes=(bitmap,)), SIZE, drop=True, where="test")
    np.testing.assert_array_equal(covered(fitted.hints.regions), covered((bitmap,)))
    assert fitted.outside == (0 if 0 <= x <= 6 and 0 <= y <= 4 else 1)


def test_a_box_is_cut_and_its_class_stays_boxed() -> None:
    boxes = (Box("cat", -5.0, 3.0, 4.0, 20.0), Box("cat", 6.0, 1.0, 8.0, 3.0))
    fitted = fit_hints(Hints("a", shapes=boxes, boxed=frozenset({"cat"})), SIZE, drop=True, where="test")
    assert fitted.hints.boxes == (Box("cat", 0.0, 3.0, 4.0, 9.0), boxes[1])
    assert fitted.hints.boxed == {"cat"}
    assert (fitted.cut, fitted.dropped) == (1, 0)
    assert ImageKnowledge.of(fitted.hints, TABLE).absent.tolist() == [False, False, False]
    gone = fit_hints(
        Hints("a", shapes=(Box("cat", 13, 0, 15, 2),), boxed=frozenset({"cat"})), SIZE, drop=True, where="t"
    )
    assert (gone.hints.boxed, gone.dropped) == (frozenset(), 1)


def test_an_ignored_area_may_leave_the_photograph() -> None:
    area = Polygon(IGNORED, ((-5.0, -5.0), (6.0, -5.0), (6.0, 20.0), (-5.0, 20.0)))
    fitted = fit_hints(Hints("a", shapes=(Click("cat", 8, 8), area)), SIZE, drop=False, where="test")
    assert fitted.outside == 0
    expected = np.zeros(SIZE, bool)
    expected[:, :6] = True
    np.testing.assert_array_equal(covered(fitted.hints.regions), expected)


def test_through_the_reading_of_any_hints(tmp_path: Path) -> None:
    """Refused without leave; with it the report counts what was cut, and what was left out."""
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\ncat\ndog\n")
    Image.new("RGB", (12, 9)).save(tmp_path / "images/a.png")
    crossing, outside = Box("cat", 8.0, 2.0, 20.0, 5.0), Click("dog", 40.0, 40.0)
    write_hints(tmp_path / "h.jsonl", [Hints("a", shapes=(outside, crossing))])
    data = open_dataset(tmp_path)
    with pytest.raises(HintError, match="--lenient"):
        read_any_hints(tmp_path / "h.jsonl", data)
    hints, report = read_any_hints(tmp_path / "h.jsonl", data, ignore_outside=True)
    assert hints["a"].boxes == (Box("cat", 8.0, 2.0, 12.0, 5.0),)
    assert "1 hints cut at the border of their image" in report.lines()
    assert "1 hints outside their image left out" in report.lines()
