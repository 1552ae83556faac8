"""Outlines of pixels, against the rasterisation rule and hand-worked rings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from underpaint.formats.outline import outlines
from underpaint.hints.rasterise import bitmap_of, paint_regions
from underpaint.hints.types import Polygon


def drawn(*rows: str) -> np.ndarray[Any, Any]:
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def traced(area: np.ndarray[Any, Any]) -> list[Polygon]:
    bitmap = bitmap_of("cat", area)
    return outlines(bitmap) if bitmap else []


def test_a_ring_of_pixels_is_a_polygon_with_a_hole() -> None:
    assert traced(drawn(".....", ".###.", ".#.#.", ".###.")) == [
        Polygon(
            "cat",
            ((1.0, 1.0), (4.0, 1.0), (4.0, 4.0), (1.0, 4.0)),
            (((2.0, 2.0), (3.0, 2.0), (3.0, 3.0), (2.0, 3.0)),),
        )
    ]


@pytest.mark.parametrize(("rows", "parts"), [(("#.", ".#"), 2), ((".#", "#."), 2), (("##.", ".##"), 1), (("###",), 1)])
def test_pixels_that_touch_at_a_corner_are_two_polygons(rows: tuple[str, ...], parts: int) -> None:
    polygons = traced(drawn(*rows))
    assert len(polygons) == parts
    assert not any(polygon.holes for polygon in polygons)


def test_two_holes_that_touch_at_a_corner_stay_in_one_part() -> None:
    (polygon,) = traced(drawn("####", "#.##", "##.#", "####"))
    assert len(polygon.holes) in (1, 2)
    assert sum(len(hole) for hole in polygon.holes) == 8


@settings(deadline=None, max_examples=200)
@given(
    st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(
        lambda size: st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]).map(
            lambda pixels: np.array(pixels).reshape(size)
        )
    )
)
def test_outlines_cover_the_same_pixels_part_by_part(area: np.ndarray[Any, Any]) -> None:
    polygons = traced(area)
    parts, count = ndimage.label(area)
    assert len(polygons) == count
    assert np.array_equal(paint_regions([(1, polygon) for polygon in polygons], area.shape) == 1, area)
    for number, polygon in enumerate(polygons, start=1):
        assert np.array_equal(paint_regions([(1, polygon)], area.shape) == 1, parts == number)


def test_noise_is_traced_pixel_by_pixel() -> None:
    noise = np.random.default_rng(0).random((256, 256)) < 0.5
    polygons = traced(noise)
    assert np.array_equal(paint_regions([(1, polygon) for polygon in polygons], noise.shape) == 1, noise)
