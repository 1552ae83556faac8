"""Runs moved between rectangles, and turned shapes, against arrays of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.hints.bitmap_runs import as_bitmap, tight_bitmap, whole_image_runs
from underpaint.hints.rasterise import bitmap_area, bitmap_of, runs_of
from underpaint.hints.types import Bitmap, Polygon

areas = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda size: st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]).map(
        lambda pixels: np.array(pixels).reshape(size)
    )
)


@settings(deadline=None, max_examples=60)
@given(areas)
def test_runs_are_cut_to_the_smallest_rectangle(area: np.ndarray[Any, Any]) -> None:
    runs = runs_of(area.ravel())
    assert tight_bitmap("cat", runs, area.shape[1]) == bitmap_of("cat", area)
    assert tight_bitmap("cat", [0, 0, *runs.tolist(), 0, 0], area.shape[1]) == bitmap_of("cat", area)


@settings(deadline=None, max_examples=60)
@given(areas, st.integers(-7, 7), st.integers(-7, 7))
def test_a_bitmap_is_moved_to_its_place_in_the_image(area: np.ndarray[Any, Any], x: int, y: int) -> None:
    height, width = area.shape
    image = np.zeros((5, 6), bool)
    for row in range(height):
        for column in range(width):
            if 0 <= row + y < 5 and 0 <= column + x < 6:
                image[row + y, column + x] = area[row, column]
    bitmap = Bitmap("cat", x, y, width, height, tuple(runs_of(area.ravel()).tolist()))
    assert whole_image_runs(bitmap, (5, 6)) == tuple(runs_of(image.ravel()).tolist())


@pytest.mark.parametrize("x", [10**30, -(10**30)])
def test_a_bitmap_beyond_all_images_leaves_the_image_empty(x: int) -> None:
    assert whole_image_runs(Bitmap("cat", x, 0, 1, 1, (0, 1)), (5, 6)) == (30,)


def test_a_polygon_as_its_pixels() -> None:
    bitmap = as_bitmap(Polygon("cat", ((1, 1), (4, 1), (4, 3), (1, 3)), (((2, 1), (3, 1), (3, 2), (2, 2)),)), (5, 6))
    assert bitmap is not None
    assert (bitmap.x, bitmap.y) == (1, 1)
    assert bitmap_area(bitmap).tolist() == [[True, False, True], [True, True, True]]
    assert as_bitmap(Polygon("cat", ((1.1, 1.1), (1.2, 1.1), (1.2, 1.2))), (5, 6)) is None


def test_a_bitmap_that_sticks_out_is_cut_and_any_other_kept() -> None:
    kept = Bitmap("cat", 4, 3, 2, 2, (1, 0, 0, 1, 2))
    assert as_bitmap(kept, (5, 6)) is kept
    assert as_bitmap(Bitmap("cat", -1, 4, 2, 2, (0, 4)), (5, 6)) == Bitmap("cat", 0, 4, 1, 1, (0, 1))
    assert as_bitmap(Bitmap("cat", 10**30, 0, 1, 1, (0, 1)), (5, 6)) is None
