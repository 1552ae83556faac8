"""Regions that are found band by band, against SciPy's of the whole mask and against the pixels that rings enclose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from underpaint.hints.outline import outline
from underpaint.hints.rasterise import bitmap_of, paint_regions
from underpaint.hints.regions import Region, regions


def cut(labels: np.ndarray, rows: int) -> list[np.ndarray]:
    return [labels[top : top + rows] for top in range(0, len(labels), rows)]


def painted(found: list[Region], size: tuple[int, int]) -> np.ndarray:
    """Each part of each region is painted by the rule of hints, in the number of its class."""
    made = np.full(size, 255, np.uint8)
    for one in found:
        for polygon in one.polygons("a"):
            area = paint_regions([(1, polygon)], size) == 1
            assert (made[area] == 255).all(), "parts of regions do not overlap"
            made[area] = one.label
    return made


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 14), st.integers(1, 14), st.integers(1, 5), st.integers(2, 3))
def test_regions_are_those_of_the_whole_mask(seed: int, height: int, width: int, rows: int, classes: int) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, (height, width)).astype(np.uint8)
    every = range(classes)
    found = list(regions(cut(labels, rows), every, outlined=every))
    np.testing.assert_array_equal(painted(found, labels.shape), labels)
    for label in every:
        whole, count = ndimage.label(labels == label, np.ones((3, 3)))
        sizes = sorted(np.bincount(whole.ravel())[1:].tolist())
        mine = [one for one in found if one.label == label]
        assert (len(mine), sorted(one.pixels for one in mine)) == (count, sizes)
        parts = sorted(len(part) for one in mine for part in one.parts)
        bitmap = bitmap_of("a", labels == label)
        assert parts == sorted(1 + len(p.holes) for p in (outline(bitmap) if bitmap else []))
    counted = regions(cut(labels, rows), every)
    assert sorted((one.label, one.pixels) for one in counted) == sorted((one.label, one.pixels) for one in found)


@pytest.mark.parametrize("rows", [1, 3, 7, 40])
def test_the_cut_into_bands_changes_nothing(rows: int) -> None:
    smooth = ndimage.gaussian_filter(np.random.default_rng(3).random((40, 60)), 1.5)
    labels = (smooth > 0.5).astype(np.uint8)

    def said(size: int) -> list[tuple[int, tuple[int, int, int, int], list[list[list[list[int]]]]]]:
        return sorted(
            (one.pixels, one.box, [[ring.tolist() for ring in part] for part in one.parts])
            for one in regions(cut(labels, size), [1], outlined=[1], least=5, fill=6)
        )

    assert said(rows) == said(1000)
    assert all(pixels >= 5 for pixels, _, _ in said(rows))


def test_small_holes_are_filled_and_the_islands_in_holes_are_regions_of_their_own() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[2:16, 2:16] = 1
    labels[4, 4] = labels[6:12, 6:12] = 0  # holes of 1 and 36 pixels
    labels[8, 8] = 1  # an island of one pixel
    assert sorted(one.pixels for one in regions([labels], [1])) == [1, 159]
    island, ring = sorted(regions([labels], [1], outlined=[1], fill=4), key=lambda one: one.pixels)
    assert (ring.pixels, [len(part) for part in ring.parts], ring.box) == (160, [2], (2, 2, 16, 16))
    assert (island.pixels, island.box) == (1, (8, 8, 9, 9))
    labels[5, 5] = 1  # it touches no side of anything, and one corner of nothing
    labels[6, 6] = 0
    (only,) = regions([labels[:, :]], [1], outlined=[1], least=2, fill=36)
    assert len(only.parts[0]) == 1


def test_a_hole_with_a_part_that_touches_its_corner_stays() -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[1:8, 1:8] = 1
    labels[3:6, 3:6] = 0
    labels[3, 3] = 0
    labels[4, 4] = 1
    labels[3, 3] = 1  # joins the ring at its sides and the middle at a corner
    (only,) = regions([labels], [1], outlined=[1], fill=100)
    assert only.pixels == int(labels.sum())
    np.testing.assert_array_equal(painted([only], (9, 9)) == 1, labels == 1)
