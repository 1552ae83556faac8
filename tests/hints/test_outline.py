"""Outlines of bitmaps: the same pixels again, by the rasterisation rule that has its own oracle."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from underpaint.hints.ignore import has_area
from underpaint.hints.outline import bridged, outline
from underpaint.hints.rasterise import bitmap_of, paint_regions
from underpaint.hints.types import Bitmap, Polygon

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
rings = st.lists(st.tuples(st.integers(0, 36), st.integers(0, 36)), min_size=3, max_size=6).map(
    lambda points: tuple((x / 4, y / 4) for x, y in points)
)


@settings(max_examples=200, deadline=None)
@given(sizes, st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_an_outline_covers_the_same_pixels(size: tuple[int, int], seed: int, share: float) -> None:
    pixels = np.random.default_rng(seed).random(size) < share
    bitmap = bitmap_of("a", pixels, x=2, y=3)
    if bitmap is None:
        return
    canvas = (size[0] + 5, size[1] + 4)
    expected = paint_regions([(1, bitmap)], canvas)
    polygons = outline(bitmap)
    np.testing.assert_array_equal(paint_regions([(1, polygon) for polygon in polygons], canvas), expected)
    joined = [(1, Polygon("a", bridged(polygon))) for polygon in polygons]
    np.testing.assert_array_equal(paint_regions(joined, canvas), expected)
    # No two neighbours of a ring lie on one line: straight runs are joined.
    for ring in (ring for polygon in polygons for ring in (polygon.ring, *polygon.holes)):
        for i, (x, y) in enumerate(ring):
            before, after = ring[i - 1], ring[(i + 1) % len(ring)]
            assert (before[0] == x) == (after[1] == y)


def test_a_frame_and_its_island_by_hand() -> None:
    pixels = np.ones((5, 5), bool)
    pixels[1:4, 1:4] = False
    pixels[2, 2] = True
    frame, island = outline(bitmap_of("a", pixels) or Bitmap("a", 0, 0, 1, 1, (1,)))
    assert frame.ring == ((0, 0), (5, 0), (5, 5), (0, 5))
    assert [set(hole) for hole in frame.holes] == [{(1, 1), (1, 4), (4, 4), (4, 1)}]
    assert island == Polygon("a", ((2, 2), (3, 2), (3, 3), (2, 3)))


def test_pixels_that_touch_at_a_corner_are_two_areas() -> None:
    both = outline(Bitmap("a", 0, 0, 2, 2, (0, 1, 2, 1)))
    assert [len(polygon.ring) for polygon in both] == [4, 4]


@settings(max_examples=100, deadline=None)
@given(sizes, st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_each_polygon_is_one_connected_part(size: tuple[int, int], seed: int, share: float) -> None:
    pixels = np.random.default_rng(seed).random(size) < share
    bitmap = bitmap_of("a", pixels)
    parts, count = ndimage.label(pixels)
    polygons = outline(bitmap) if bitmap else []
    assert len(polygons) == count
    for number, polygon in enumerate(polygons, start=1):
        np.testing.assert_array_equal(paint_regions([(1, polygon)], size) == 1, parts == number)


def test_two_holes_that_touch_at_a_corner_belong_to_one_part() -> None:
    pixels = np.ones((4, 4), bool)
    pixels[1, 1] = pixels[2, 2] = False
    (polygon,) = outline(bitmap_of("a", pixels) or Bitmap("a", 0, 0, 1, 1, (1,)))
    assert sum(map(len, polygon.holes)) == 8


@settings(max_examples=100, deadline=None)
@given(rings, st.lists(rings, max_size=3).map(tuple))
def test_bridges_change_no_pixel(
    ring: tuple[tuple[float, float], ...], holes: tuple[tuple[tuple[float, float], ...], ...]
) -> None:
    assume(all(map(has_area, (ring, *holes))))  # what has no area is left out when it is read
    polygon = Polygon("a", ring, holes)
    joined = Polygon("a", bridged(polygon))
    np.testing.assert_array_equal(paint_regions([(1, joined)], (9, 9)), paint_regions([(1, polygon)], (9, 9)))
