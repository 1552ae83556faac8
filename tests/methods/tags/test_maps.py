"""Scores from response maps, with and without a background class."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint.methods.tags.maps import background_score, normalised, resized, scored

MAPS = np.array([[[9, 9], [9, 9]], [[2, 1], [0, 4]], [[3, 0], [0, 0]], [[0, 0], [0, 0]]], np.float32)


def flags(*which: int) -> np.ndarray:
    return np.isin(np.arange(4), which)


def test_each_map_is_divided_by_its_own_maximum() -> None:
    found = normalised(MAPS)
    for c in range(4):
        for y in range(2):
            for x in range(2):
                assert found[c, y, x] == pytest.approx(MAPS[c, y, x] / (MAPS[c].max() + 1e-5))


def test_background_by_a_constant_or_a_power_of_what_is_left() -> None:
    maps = np.array([[[0.5, 0.0]], [[0.2, 1.0]]], np.float32)
    assert background_score(maps, kind="constant", level=0.15).tolist() == [[pytest.approx(0.15)] * 2]
    assert background_score(maps, kind="power", level=4).tolist() == [[pytest.approx(0.0625), 0.0]]


def test_labels_are_tagged_classes_or_the_background() -> None:
    scores = scored(MAPS, flags(0, 1, 2), background=0, kind="constant", level=0.3)
    assert scores.classes.tolist() == [0, 1, 2]
    # class 1: .5 .25 0 1; class 2: 1 0 0 0; the background's own response plays no part
    assert scores.labels().tolist() == [[2, 0], [0, 1]]


def test_without_a_background_the_tagged_classes_share_all_pixels() -> None:
    scores = scored(MAPS, flags(1, 2), background=None, kind="power", level=4)
    assert not scores.background
    assert scores.labels().tolist() == [[2, 1], [1, 1]]


@pytest.mark.parametrize("background", [0, None])
def test_an_image_without_tags_has_no_label(background: int | None) -> None:
    present = flags() if background is None else flags(0)
    assert (scored(MAPS, present, background=background, kind="constant", level=0.2).labels() == 255).all()


def test_a_map_of_zeros_is_all_background() -> None:
    assert scored(MAPS, flags(3), background=0, kind="power", level=32).labels().tolist() == [[0, 0], [0, 0]]


def test_resizing_averages_down_and_interpolates_up() -> None:
    whole = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    assert resized(whole, (2, 2)).tolist() == [[[2.5, 4.5], [10.5, 12.5]]]
    assert resized(whole, (8, 8)).mean() == pytest.approx(whole.mean())
    assert resized(whole[:0], (2, 2)).shape == (0, 2, 2)
