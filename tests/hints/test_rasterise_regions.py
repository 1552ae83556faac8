"""Filled areas to pixels, against a loop over pixels and edges."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.hints import pens
from underpaint.hints.rasterise import UNKNOWN, bitmap_area, bitmap_of, paint_regions, region_area
from underpaint.hints.types import Bitmap, Polygon, Region

Point = tuple[float, float]
Size = tuple[int, int]

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
quarters = st.integers(-20, 60).map(lambda q: q / 4)
rings = st.lists(st.tuples(quarters, quarters), min_size=3, max_size=8).map(tuple)
polygons = st.builds(Polygon, st.just("cat"), rings, st.lists(rings, max_size=2).map(tuple))


def centre_inside(x: float, y: float, rings: list[tuple[Point, ...]]) -> bool:
    """The textbook loop: a ray to the left crosses an odd number of edges."""
    odd = False
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], ring[0]), strict=True):
            if (y0 > y) != (y1 > y) and x0 + (y - y0) / (y1 - y0) * (x1 - x0) <= x:
                odd = not odd
    return odd


def brute(polygon: Polygon, size: Size) -> np.ndarray:
    rings = [polygon.ring, *polygon.holes]
    return np.array([[centre_inside(c + 0.5, r + 0.5, rings) for c in range(size[1])] for r in range(size[0])])


def area(region: Region, size: Size) -> np.ndarray:
    whole = np.zeros(size, bool)
    window, inside = region_area(region, size)
    whole[window] = inside
    return whole


@settings(max_examples=300, deadline=None)
@given(polygons, sizes)
def test_a_polygon_covers_the_centres_inside(polygon: Polygon, size: Size) -> None:
    np.testing.assert_array_equal(area(polygon, size), brute(polygon, size))


@settings(max_examples=60, deadline=None)
@given(polygons, sizes, st.integers(1, 5))
def test_blocks_of_edges_do_not_show(polygon: Polygon, size: Size, block: int) -> None:
    whole = area(polygon, size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pens, "BLOCK", block)
        np.testing.assert_array_equal(area(polygon, size), whole)


def test_a_rectangle_of_whole_numbers_is_half_open_and_has_no_seam() -> None:
    """The vector of the docs: corners (1, 1), (3, 1), (3, 2), (1, 2) cover two pixels."""
    one = Polygon("a", ((1, 1), (3, 1), (3, 2), (1, 2)))
    assert area(one, (5, 6)).sum() == 2
    assert area(one, (5, 6))[1, 1:3].all()
    beside = Polygon("b", ((3, 1), (5, 1), (5, 2), (3, 2)))
    assert not (area(one, (5, 6)) & area(beside, (5, 6))).any()


def test_holes_and_islands_by_hand() -> None:
    ring, hole, island = (((a, a), (b, a), (b, b), (a, b)) for a, b in ((0.0, 7.0), (1.0, 6.0), (3.0, 4.0)))
    seen = area(Polygon("a", ring, (hole, island)), (7, 7))
    expected = np.ones((7, 7), bool)
    expected[1:6, 1:6] = False
    expected[3, 3] = True
    np.testing.assert_array_equal(seen, expected)


@settings(max_examples=100, deadline=None)
@given(st.data(), sizes, st.integers(-3, 3), st.integers(-3, 3))
def test_bitmaps_are_exact_and_round_trip(data: st.DataObject, size: Size, x: int, y: int) -> None:
    pixels = np.array(data.draw(st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1])))
    pixels = pixels.reshape(size)
    made = bitmap_of("cat", pixels, x=x, y=y)
    if made is None:
        assert not pixels.any()
        return
    assert sum(made.runs) == made.width * made.height
    assert all(run > 0 for run in made.runs[1:])
    image = np.zeros((30, 30), bool)
    image[10 : 10 + size[0], 10 : 10 + size[1]] = pixels
    np.testing.assert_array_equal(area(bitmap_of("cat", pixels, x=10, y=10) or made, (30, 30)), image)
    # Cut at the border of a small image, as a loop over pixels would.
    expected = np.zeros((4, 5), bool)
    for row, column in np.argwhere(pixels):
        if 0 <= row + y < 4 and 0 <= column + x < 5:
            expected[row + y, column + x] = True
    np.testing.assert_array_equal(area(made, (4, 5)), expected)


def test_the_mask_of_the_docs() -> None:
    """Rows 0110 / 0100 / 0001; cut to columns 1..3."""
    pixels = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], bool)
    assert bitmap_of("a", pixels) == Bitmap("a", 1, 0, 3, 3, (0, 2, 1, 1, 4, 1))
    np.testing.assert_array_equal(bitmap_area(Bitmap("a", 0, 0, 4, 3, (1, 2, 2, 1, 5, 1))), pixels)


def test_a_later_region_lies_above_and_the_rest_stays() -> None:
    low = Polygon("a", ((0, 0), (3, 0), (3, 2), (0, 2)))
    high = Bitmap("b", 1, 0, 1, 2, (0, 2))
    expected = [[1, 2, 1, UNKNOWN], [1, 2, 1, UNKNOWN]]
    assert paint_regions([(1, low), (2, high)], (2, 4)).tolist() == expected
    assert paint_regions([(2, high), (1, low)], (2, 4)).tolist() == [[1, 1, 1, UNKNOWN]] * 2
    held = np.full((2, 4), 7, np.uint8)
    assert paint_regions([(2, high)], (2, 4), held) is held
    assert held.tolist() == [[7, 2, 7, 7]] * 2


def test_far_outside_and_degenerate() -> None:
    assert not area(Polygon("a", ((50, 50), (60, 50), (60, 60))), (5, 5)).any()
    assert not area(Polygon("a", ((1, 1), (3, 3), (1, 1))), (5, 5)).any()
    assert area(Polygon("a", ((-1e300, -1e300), (1e300, -1e300), (1e300, 1e300), (-1e300, 1e300))), (5, 5)).all()
    assert not area(Bitmap("a", -9, -9, 2, 2, (0, 4)), (5, 5)).any()


def test_many_vertices_cost_little() -> None:
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    radius = 240 + 60 * np.sin(40 * angle)
    ring = tuple(zip((320 + radius * np.cos(angle)).tolist(), (320 + radius * np.sin(angle)).tolist(), strict=True))
    started = time.perf_counter()
    seen = area(Polygon("a", ring), (640, 640))
    assert time.perf_counter() - started < 0.5  # some 5 ms; the loop needs half an hour
    x, y = np.array(ring).T
    exact = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    assert seen.sum() == pytest.approx(exact, rel=1e-3)
