"""Simulated scribbles: always right, drawn like a person's, and as many as the budget says."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, DataError
from underpaint.datasets.open import open_dataset
from underpaint.hints.rasterise import UNKNOWN, paint_seeds
from underpaint.hints.types import Hints, Scribble
from underpaint.imagefiles.masks import read_index_mask
from underpaint.simulate.regions import Region, find_regions
from underpaint.simulate.scribbles import simulate_scribbles
from underpaint.simulate.strokes import Sketch

Mask = npt.NDArray[np.uint8]
DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
TABLE = ClassTable.of(["background", "cat", "dog"])

masks = arrays(np.uint8, st.tuples(st.integers(1, 28), st.integers(1, 28)), elements=st.sampled_from([0, 0, 1, 2, 255]))
"""Noise: the worst that a mask can be, many regions of a pixel or two."""


def blobs(seed: int, size: tuple[int, int] = (150, 200)) -> Mask:
    """Smooth regions of three classes and void, as in a photograph."""
    rng = np.random.default_rng(seed)
    fields = np.stack([ndimage.gaussian_filter(rng.standard_normal(size), 16) for _ in range(3)])
    mask: Mask = fields.argmax(axis=0).astype(np.uint8)
    mask[ndimage.gaussian_filter(rng.standard_normal(size), 8) > 0.05] = 255
    return mask


def seeds_of(hints: Hints, size: tuple[int, int], table: ClassTable = TABLE) -> Mask:
    """(H, W) class of each labelled pixel, 255 elsewhere; contradictions cannot arise, which is asserted."""
    strokes = [(table.index(s.name), np.array(s.points), s.width) for s in hints.scribbles]
    return paint_seeds(strokes, size)


def scribble(mask: Mask, **settings: float) -> Hints:
    budget = settings.get("budget", 1.0)
    return simulate_scribbles(mask, TABLE, image="a", seed=int(settings.get("seed", 0)), budget=budget)


def test_every_pixel_by_plain_loop() -> None:
    """Without the package's rasteriser: a pixel centre within half a pen of a segment must have the stroke's class."""
    mask = blobs(0, (60, 80))
    for stroke in scribble(mask).scribbles:
        ends = list(zip(stroke.points[:-1], stroke.points[1:], strict=True)) or [(stroke.points[0], stroke.points[0])]
        for row in range(mask.shape[0]):
            for column in range(mask.shape[1]):
                if any(distance(column + 0.5, row + 0.5, a, b) <= stroke.width / 2 for a, b in ends):
                    assert TABLE.names[mask[row, column]] == stroke.name


def distance(x: float, y: float, a: tuple[float, float], b: tuple[float, float]) -> float:
    run, rise = b[0] - a[0], b[1] - a[1]
    square = run * run + rise * rise
    t = min(1.0, max(0.0, ((x - a[0]) * run + (y - a[1]) * rise) / square)) if square else 0.0
    return math.hypot(a[0] + t * run - x, a[1] + t * rise - y)


@settings(max_examples=60, deadline=None)
@given(masks, st.sampled_from([1.0, 3.0, 1e6]), st.integers(0, 99))
def test_whatever_the_mask_scribbles_agree_with_it(mask: Mask, budget: float, seed: int) -> None:
    hints = simulate_scribbles(mask, TABLE, image="a", seed=seed, budget=budget)
    seeds = seeds_of(hints, mask.shape)
    labelled = seeds != UNKNOWN
    np.testing.assert_array_equal(seeds[labelled], mask[labelled])
    for region in find_regions(mask, TABLE, image="a"):
        height, width = region.inside.shape
        window = labelled[region.row : region.row + height, region.column : region.column + width]
        assert (window & region.inside).any()
    if budget == 1e6:
        np.testing.assert_array_equal(seeds, mask)


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (27, 44)])
def test_a_sketch_knows_which_pixels_its_lines_label(place: tuple[int, int]) -> None:
    """Wherever the region lies: a centre just half a pen away, as from (50.3, 50.4), is a matter of rounding."""
    region = Region(1, np.ones((12, 12), bool), *place, area=144, marked=True)
    for x, y in itertools.product(np.round(np.arange(4, 6, 0.1), 1), repeat=2):
        sketch = Sketch(region, np.random.default_rng(0))
        line = np.array([[place[1] + x, place[0] + y]]).round(1)
        assert sketch._ink(line)
        drawn = np.zeros((60, 60), bool)
        sketch.paint(drawn)
        np.testing.assert_array_equal(drawn, paint_seeds([(1, line, sketch.pen)], drawn.shape) == 1)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_mirrored_scribbles_agree_with_the_mirrored_mask(seed: int) -> None:
    mask = blobs(seed, (50, 70))
    drawn = scribble(mask).scribbles
    mirrored = tuple(Scribble(s.name, tuple((70 - x, y) for x, y in s.points), s.width) for s in drawn)
    seeds = seeds_of(Hints("a", shapes=mirrored), mask.shape)
    flipped = mask[:, ::-1]
    np.testing.assert_array_equal(seeds[seeds != UNKNOWN], flipped[seeds != UNKNOWN])


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    mask = np.eye(30, dtype=np.uint8)
    assert sum(region.label == 1 for region in find_regions(mask, TABLE, image="a")) == 1


def test_tags_are_complete_and_void_is_unknown() -> None:
    mask = np.full((40, 40), 255, np.uint8)
    mask[5:30, 5:30] = 1
    hints = scribble(mask, budget=1e6)
    assert hints.tags is not None
    assert hints.tags.present == {"cat"}
    assert hints.tags.absent == {"background", "dog"}
    assert (seeds_of(hints, mask.shape)[mask == 255] == UNKNOWN).all()


def test_an_image_of_void_alone_has_no_hints() -> None:
    hints = scribble(np.full((20, 20), 255, np.uint8))
    assert hints.kinds() == frozenset()


def test_thin_regions_get_a_fine_pen() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[5:55, 30:32] = 1
    pole = [s for s in scribble(mask).scribbles if s.name == "cat"]
    assert pole
    assert {s.width for s in pole} == {1.0}
    assert max(y for s in pole for _, y in s.points) - min(y for s in pole for _, y in s.points) > 5


def test_the_budget_multiplies_each_class_and_keeps_the_first_strokes() -> None:
    mask = blobs(1)
    first = scribble(mask)
    before = np.bincount(seeds_of(first, mask.shape).ravel(), minlength=256)[:3]
    for budget in (2.0, 4.0):
        more = scribble(mask, budget=budget)
        after = np.bincount(seeds_of(more, mask.shape).ravel(), minlength=256)[:3]
        np.testing.assert_allclose(after / before, budget, rtol=0.05)
        assert more.scribbles[: len(first.scribbles)] == first.scribbles


def test_strokes_depend_on_seed_and_image_alone() -> None:
    mask = blobs(2, (60, 80))
    assert scribble(mask) == scribble(mask.copy())
    assert scribble(mask).scribbles != scribble(mask, seed=1).scribbles
    other = simulate_scribbles(mask, TABLE, image="b", seed=0)
    assert other.scribbles != scribble(mask).scribbles


def test_strokes_keep_away_from_the_border_and_are_smooth() -> None:
    rows, columns = np.mgrid[:200, :300]
    mask = (((rows - 100) / 80) ** 2 + ((columns - 150) / 120) ** 2 < 1).astype(np.uint8)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    turns: list[float] = []
    for seed in range(8):
        strokes = [s for s in scribble(mask, seed=seed).scribbles if s.name == "cat"]
        assert 1 <= len(strokes) <= 4
        inside = seeds_of(Hints("a", shapes=tuple(strokes)), mask.shape) == 1
        assert depth[inside].min() > 0.1 * depth.max()
        for stroke in strokes:
            steps = np.diff(np.array(stroke.points), axis=0)
            angles = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
            turns += np.abs(np.diff(angles)).tolist()
    # Turns from vertex to vertex, 6 pixels on; without smoothing the grid's corners make it 0.75, with a third 0.56.
    assert np.quantile(turns, 0.95) < 0.5


@pytest.mark.parametrize("budget", [0.5, 0.0, -1.0, math.nan, math.inf])
def test_a_budget_below_one_is_refused(budget: float) -> None:
    with pytest.raises(ConfigError, match="budget"):
        scribble(np.zeros((9, 9), np.uint8), budget=budget)


def test_a_mask_outside_the_table_is_refused() -> None:
    with pytest.raises(DataError, match="outside the class table: 7"):
        scribble(np.full((9, 9), 7, np.uint8))
    with pytest.raises(DataError, match="int64"):
        simulate_scribbles(np.zeros((9, 9), np.int64), TABLE, image="a", seed=0)


@pytest.mark.skipif(not (DATA / "msrc21").is_dir(), reason="the MSRC-21 photographs are not at hand")
def test_real_masks_get_one_to_three_percent() -> None:
    data = open_dataset(DATA / "msrc21")
    shares, strokes, regions = [], 0, 0
    for name in data.split("train")[::12]:
        mask = read_index_mask(data.masks[name], data.classes)
        hints = simulate_scribbles(mask, data.classes, image=name, seed=0)
        seeds = seeds_of(hints, mask.shape, data.classes)
        labelled = seeds != UNKNOWN
        np.testing.assert_array_equal(seeds[labelled], mask[labelled])
        shares.append(labelled.mean())
        strokes += len(hints.scribbles)
        regions += len(find_regions(mask, data.classes, image=name))
    assert 0.01 < np.mean(shares) < 0.03
    assert 2 < strokes / regions < 4
