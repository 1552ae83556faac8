"""Pictures of masks and hints, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.evaluation.pictures import HALO, HINT_RADIUS, Mask, Rgb, colourise, draw_hints, overlay

TABLE = ClassTable(("background", "cat", "dog"), ((0, 0, 0), (200, 100, 0), (0, 50, 250)), 0)
THINGS = ClassTable(("sky", "grass"), ((10, 20, 200), (20, 200, 30)), None)
VOID_COLOUR = [224, 224, 192]


def grey(height: int, width: int) -> Rgb:
    return np.full((height, width, 3), 100, np.uint8)


def test_each_class_gets_its_colour_and_void_its_own() -> None:
    picture = colourise(np.array([[0, 1], [2, 255]], np.uint8), TABLE)
    assert picture.tolist() == [[[0, 0, 0], [200, 100, 0]], [[0, 50, 250], VOID_COLOUR]]
    assert picture.dtype == np.uint8


def test_overlay_blends_inside_rims_the_edge_and_leaves_background_and_void_clear() -> None:
    mask: Mask = np.zeros((6, 7), np.uint8)
    mask[1:6, 1:6] = 1
    mask[0, 0] = 255
    picture = overlay(grey(6, 7), mask, TABLE, alpha=0.5)
    assert picture[0, 0].tolist() == picture[0, 3].tolist() == [100, 100, 100]  # void, background
    assert picture[3, 3].tolist() == [150, 100, 50]  # half way from 100 to the colour
    assert picture[1, 3].tolist() == picture[3, 1].tolist() == [200, 100, 0]  # rim
    assert picture[5, 3].tolist() == [150, 100, 50]  # the edge of the picture is no rim


def test_without_a_background_class_every_class_is_drawn() -> None:
    picture = overlay(grey(3, 3), np.zeros((3, 3), np.uint8), THINGS, alpha=1.0)
    assert (picture == (10, 20, 200)).all()
    assert (overlay(grey(3, 3), np.zeros((3, 3), np.uint8), THINGS, alpha=0.0) == 100).all()


def test_a_click_becomes_a_dot_with_a_white_rim_on_a_faded_photograph() -> None:
    seeds: Mask = np.full((300, 400), 255, np.uint8)
    seeds[100, 200] = 2
    picture = draw_hints(grey(300, 400), seeds, TABLE)
    radius = HINT_RADIUS * 500
    away = np.hypot(*(np.mgrid[0:300, 0:400] - np.array([100, 200])[:, None, None]))
    assert (picture[away <= radius] == (0, 50, 250)).all()
    assert (picture[(away > radius) & (away <= radius + HALO)] == 255).all()
    assert (picture[away > radius + HALO] == 100 + round(0.25 * 155)).all()


def test_hints_keep_their_own_pixels_and_the_nearer_one_wins_between() -> None:
    rng = np.random.default_rng(0)
    seeds: Mask = np.where(rng.random((20, 30)) < 0.1, rng.integers(0, 3, (20, 30)), 255).astype(np.uint8)
    picture = draw_hints(grey(20, 30), seeds, TABLE)
    known = seeds != 255
    np.testing.assert_array_equal(picture[known], colourise(seeds, TABLE)[known])
    colours = {tuple(colour) for colour in TABLE.colours}
    for y, x in zip(*np.nonzero(~known), strict=True):
        near = {
            tuple(TABLE.colours[seeds[v, u]])
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
            if 0 <= v < 20 and 0 <= u < 30 and known[v, u]
        }
        drawn = tuple(picture[y, x].tolist())
        assert drawn in near if near else drawn not in colours  # at this size the pen reaches one pixel


@pytest.mark.parametrize("draw", [draw_hints, lambda rgb, mask, table: overlay(rgb, mask, table, alpha=0.5)])
def test_two_sizes_are_refused(draw: object) -> None:
    assert callable(draw)
    with pytest.raises(DataError, match=r"a photograph of shape \(4, 5, 3\) and a mask of shape \(5, 4\)"):
        draw(grey(4, 5), np.zeros((5, 4), np.uint8), TABLE)
