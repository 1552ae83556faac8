"""Pens: the same pixels however they are found, in a time that wide pens and many points do not blow up."""

from __future__ import annotations

import math
import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.doctor.balance import Balance
from underpaint.hints import pens
from underpaint.hints.check import MAX_COVER, check_hints, refuse_excess
from underpaint.hints.fit import fit_hints
from underpaint.hints.ignore import set_aside
from underpaint.hints.rasterise import paint_seeds, region_area, stroke_pixels
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Polygon, Region, Scribble

TABLE = ClassTable.of(["background", "cat"])
SIZE = (375, 500)


def near(points: list[tuple[float, float]], radius: float, size: tuple[int, int]) -> set[tuple[int, int]]:
    """Pixels whose centres lie within ``radius`` of the polyline, one by one."""
    found = set()
    for row in range(size[0]):
        for column in range(size[1]):
            for (ax, ay), (bx, by) in list(pairwise(points)) or [(points[0], points[0])]:
                run, rise, x, y = bx - ax, by - ay, column + 0.5 - ax, row + 0.5 - ay
                t = min(max((x * run + y * rise) / (run * run + rise * rise or 1), 0), 1)
                if math.hypot(x - t * run, y - t * rise) <= radius:
                    found.add((row, column))
                    break
    return found


@pytest.mark.parametrize("block", [1, 7, 1 << 18])
@pytest.mark.parametrize("radius", [0.7, 1.5, 6.3, 40.0])
def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, block: int, radius: float) -> None:
    rng = np.random.default_rng(5)
    points = [(float(x), float(y)) for x, y in rng.uniform(-9, 29, (6, 2))]
    monkeypatch.setattr(pens, "BLOCK", block)
    for line in (points, points[:1], [points[0], points[0]], [(3.0, 4.25), (17.0, 4.25)], [(3.0, 2.0), (3.0, 19.0)]):
        rows, columns = pens.near_polyline(np.array(line), radius, (20, 23))
        assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == near(line, radius, (20, 23))


@pytest.mark.parametrize(
    ("count", "width", "step"), [(500, 300.0, 20.0), (600_000, 3.0, 0.5), (3000, 1e8, 5.0), (1, 1e8, 1.0)]
)
def test_wide_pens_and_many_points_take_little(count: int, width: float, step: float) -> None:
    rng = np.random.default_rng(0)
    points = np.abs(np.cumsum(rng.uniform(-step, step, (count, 2)), axis=0)) % [500, 375]
    tracemalloc.start()
    began = time.process_time()
    seeds = paint_seeds([(1, points, width)], SIZE)
    took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (seeds == 1).any()
    assert took < 4
    assert peak < 400 << 20


def test_a_pen_as_wide_as_the_image_covers_it() -> None:
    assert (
        len(set(zip(*(a.tolist() for a in stroke_pixels(np.array([[3.0, 3.0]]), 1e8, (20, 30))), strict=True))) == 600
    )


def zigzag(count: int) -> tuple[tuple[float, float], ...]:
    return tuple((float(i % 500), 374.0 * (i % 2)) for i in range(count))


EXCESS: dict[str, tuple[Region | Scribble, ...]] = {
    "a line up and down": (Scribble("cat", zigzag(300_000), 3.0),),
    "lines up and down": (Scribble("cat", zigzag(3_000), 3.0),) * 100,
    "an outline up and down": (Polygon("cat", zigzag(600_000)),),
    "whole images": (Polygon("cat", ((0.0, 0.0), (500.0, 0.0), (500.0, 375.0), (0.0, 375.0))),) * 1_000,
    "bitmaps": (Bitmap("cat", 0, 0, 500, 375, (0, 187_500)),) * 1_000,
    "dots": (Scribble("cat", ((250.0, 180.0),), 600.0),) * 1_000,
}


@pytest.mark.parametrize("kind", EXCESS)
def test_shapes_that_cover_an_image_over_and_over_are_refused(kind: str) -> None:
    shapes = EXCESS[kind]
    strokes = tuple(one for one in shapes if isinstance(one, Scribble))
    hints = Hints("a", SIZE, shapes=(*strokes, *tuple(one for one in shapes if not isinstance(one, Scribble))))
    for drop in (True, False):
        with pytest.raises(HintError, match=f"at most {MAX_COVER} times"):
            fit_hints(hints, SIZE, drop=drop, where="hints.jsonl")


def test_what_people_draw_is_not_refused() -> None:
    rng = np.random.default_rng(0)
    cells = [(float(x), float(y)) for x, y in rng.uniform(0, 350, (5000, 2))]
    small = tuple(Polygon("cat", ((x, y), (x + 20, y), (x + 20, y + 20))) for x, y in cells)
    refuse_excess(Hints("a", SIZE, shapes=small), SIZE, "a")
    whole = ((0.0, 0.0), (500.0, 0.0), (500.0, 375.0), (0.0, 375.0))
    refuse_excess(Hints("a", SIZE, shapes=(*((Polygon("cat", whole),) * 200),)), SIZE, "a")
    refuse_excess(Hints("a", SIZE, shapes=(Scribble("cat", tuple(cells), 300.0),)), SIZE, "a")


def test_an_outline_of_a_million_points_is_filled_at_once() -> None:
    angles = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    ring = tuple(zip((250 + 150 * np.cos(angles)).tolist(), (180 + 150 * np.sin(angles)).tolist(), strict=True))
    began = time.process_time()
    _, inside = region_area(Polygon("cat", ring), SIZE)
    assert time.process_time() - began < 5
    assert abs(inside.sum() - math.pi * 150**2) < 150


@pytest.mark.parametrize("number", [1e300, -1e300, 1e9, math.inf, math.nan])
def test_numbers_beyond_every_image_are_refused(number: float) -> None:
    for hints in (
        Hints("a", shapes=(Click("cat", number, 1.0),)),
        Hints("a", shapes=(Scribble("cat", ((1.0, 1.0),), abs(number)),)),
        Hints("a", shapes=(Scribble("cat", ((1.0, number),), 3.0),)),
        Hints("a", shapes=(Polygon("cat", ((0.0, 0.0), (number, 0.0), (4.0, 4.0))),)),
    ):
        with pytest.raises(HintError, match="finite numbers up to 1e"):
            check_hints(hints, None, "here")
    with pytest.raises(HintError, match="outside every possible image"):
        check_hints(Hints("a", shapes=(Bitmap("cat", 10**20, 0, 1, 1, (0, 1)),)), None, "here")


@pytest.mark.parametrize("number", [1e308, -1e308, 1e12])
def test_shapes_without_area_beyond_every_image_are_refused(number: float) -> None:
    """Boxes, strokes and clicks that are set aside are painted, which must not come before their check."""
    for hints in (
        Hints("a", shapes=(Box(IGNORED, number, 1.0, number, 3.0),)),
        Hints("a", shapes=(Click(IGNORED, 1.0, number),)),
        Hints("a", shapes=(Scribble(IGNORED, ((number, 1.0), (number, 2.0)), 2.0),)),
    ):
        with pytest.raises(HintError, match="finite numbers up to 1e"):
            check_hints(set_aside(hints), None, "here")


def test_a_wide_stroke_counts_no_more_pixels_than_the_image_has() -> None:
    balance = Balance(TABLE)
    balance.add_hints(Hints("a", (20, 30), shapes=(Scribble("cat", ((1.0, 1.0), (9.0, 1.0)), 1e8),)), None)
    assert balance.pixels.tolist() == [0, 600]
    balance.add_hints(Hints("a", (20, 30), shapes=(Scribble("cat", ((1.0, 1.0), (9.0, 1.0)), 2.0),)), None)
    assert balance.pixels.tolist() == [0, 620]
