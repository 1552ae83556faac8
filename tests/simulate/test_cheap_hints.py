"""Simulated clicks, boxes, tags and mixtures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import underpaint
from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, DataError
from underpaint.datasets.folder import DataFolder, open_folder
from underpaint.hints.types import Box, Click, Hints, Kind, Scribble
from underpaint.imagefiles.masks import write_index_mask
from underpaint.simulate.boxes import simulate_boxes
from underpaint.simulate.clicks import simulate_clicks
from underpaint.simulate.effort import Effort
from underpaint.simulate.mixture import pick_kind, simulate_kind, simulate_tags
from underpaint.simulate.regions import find_regions
from underpaint.simulate.run import simulate

Mask = npt.NDArray[np.uint8]
TABLE = ClassTable.of(["background", "cat", "dog"])
STUFF = ClassTable.of(["sky", "road", "tree"])
masks = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.sampled_from([0, 0, 1, 2, 255]))


def two_cats() -> Mask:
    mask = np.zeros((100, 120), np.uint8)
    mask[10:40, 20:50] = 1
    mask[60:90, 70:110] = 1
    mask[0, :] = 255
    return mask


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(1, 4), st.booleans())
def test_clicks_agree_with_any_mask(mask: Mask, budget: int, ground: bool) -> None:
    table = TABLE if ground else STUFF
    hints = simulate_clicks(mask, table, image="a", seed=1, budget=budget)
    for click in hints.clicks:
        assert table.names[mask[int(click.y), int(click.x)]] == click.name
        assert (click.x % 1, click.y % 1) == (0.5, 0.5)
    for region in find_regions(mask, table, image="a"):
        height, width = region.inside.shape
        hit = [
            region.inside[int(c.y) - region.row, int(c.x) - region.column]
            for c in hints.clicks
            if 0 <= c.y - region.row < height and 0 <= c.x - region.column < width
        ]
        assert 1 <= sum(hit) <= 2 * budget
    assert (hints.tags is None) == (not hints.clicks)


def test_one_click_a_region_and_two_on_the_ground() -> None:
    hints = simulate_clicks(two_cats(), TABLE, image="a", seed=0)
    assert Counter(click.name for click in hints.clicks) == {"cat": 2, "background": 2}
    more = simulate_clicks(two_cats(), TABLE, image="a", seed=0, budget=3)
    assert Counter(click.name for click in more.clicks) == {"cat": 6, "background": 6}
    assert more.clicks[:4] == hints.clicks


def test_clicks_lie_where_people_click() -> None:
    """Median depth rank of the real clicks is .86 on objects (a disk here: ranks are squared radii)."""
    rows, columns = np.mgrid[:101, :101]
    radius = np.hypot(rows - 50, columns - 50)
    mask = (radius <= 45).astype(np.uint8)
    ranks = []
    for seed in range(300):
        cat = next(c for c in simulate_clicks(mask, TABLE, image="a", seed=seed).clicks if c.name == "cat")
        ranks.append(1 - (np.hypot(cat.x - 50.5, cat.y - 50.5) / 45.5) ** 2)
    np.testing.assert_allclose(np.quantile(ranks, [0.25, 0.5, 0.75]), [0.74, 0.86, 0.94], atol=0.05)


@settings(max_examples=60, deadline=None)
@given(masks, st.booleans())
def test_every_pixel_of_a_boxed_class_lies_in_its_boxes(mask: Mask, ground: bool) -> None:
    table = TABLE if ground else STUFF
    hints = simulate_boxes(mask, table, image="a")
    if (mask == 255).all():
        assert not hints.kinds()
        return
    assert hints.boxed == {table.names[i] for i in table.foreground}
    inside = np.zeros((len(table), *mask.shape), bool)
    for box in hints.boxes:
        covered = inside[table.index(box.name)]
        covered[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = True
        assert (mask[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] == table.index(box.name)).any()
    for label in table.foreground:
        assert inside[label][mask == label].all()


def test_boxes_are_tight_and_fragments_join_them() -> None:
    mask = two_cats()
    cats = (Box("cat", 20.0, 10.0, 50.0, 40.0), Box("cat", 70.0, 60.0, 110.0, 90.0))
    assert simulate_boxes(mask, TABLE, image="a").boxes == cats
    mask[42, 30:33] = 1  # 3 pixels, 3 rows below the first cat: a paw
    assert simulate_boxes(mask, TABLE, image="a").boxes == (replace(cats[0], y1=43.0), cats[1])
    mask[42, 30:33] = 0
    mask[95, 2:5] = 1  # 3 pixels far from both
    assert simulate_boxes(mask, TABLE, image="a").boxes == (*cats, Box("cat", 2.0, 95.0, 5.0, 96.0))


def test_without_background_every_class_is_boxed() -> None:
    hints = simulate_boxes(two_cats(), STUFF, image="a")
    assert {box.name for box in hints.boxes} == {"sky", "road"}
    assert hints.boxed == {"sky", "road", "tree"}


@settings(max_examples=40, deadline=None)
@given(masks)
def test_tags_are_the_classes_of_the_mask(mask: Mask) -> None:
    tags = simulate_tags(mask, TABLE, image="a").tags
    seen = {TABLE.names[value] for value in mask.ravel().tolist() if value != 255}
    assert (tags.present | set() if tags else set()) == seen
    assert tags is None or tags.absent == set(TABLE.names) - seen


def test_bad_masks_and_budgets_are_refused() -> None:
    strange = np.full((4, 4), 9, np.uint8)
    for kind in Kind:
        with pytest.raises(DataError, match="outside the class table: 9"):
            simulate_kind(strange, TABLE, kind=kind, image="a", seed=0)
    for kind in (Kind.BOX, Kind.TAG, Kind.MASK):
        with pytest.raises(ConfigError, match="budget 2"):
            simulate_kind(two_cats(), TABLE, kind=kind, image="a", seed=0, budget=2)
    with pytest.raises(ConfigError, match="budget"):
        simulate_clicks(two_cats(), TABLE, image="a", seed=0, budget=0.5)


def test_a_mixture_draws_by_image_name() -> None:
    fractions = {Kind.SCRIBBLE: 0.5, Kind.TAG: 0.3, Kind.MASK: 0.2}
    names = [f"image{i}" for i in range(1000)]
    kinds = {name: pick_kind(name, seed=0, fractions=fractions) for name in names}
    counts = Counter(kinds.values())
    # Three standard deviations of a binomial draw of 1000.
    for kind, share in fractions.items():
        assert abs(counts[kind] - 1000 * share) < 3 * np.sqrt(1000 * share * (1 - share))
    assert all(pick_kind(name, seed=0, fractions=fractions) is kinds[name] for name in reversed(names[:50]))
    assert any(pick_kind(name, seed=1, fractions=fractions) is not kinds[name] for name in names[:50])


@pytest.mark.parametrize("fractions", [{Kind.BOX: 0.5}, {Kind.BOX: 1.5, Kind.TAG: -0.5}, {}])
def test_a_mixture_must_sum_to_one(fractions: dict[Kind, float]) -> None:
    with pytest.raises(ConfigError, match="mixture"):
        pick_kind("a", seed=0, fractions=fractions)


def test_annotation_seconds_of_the_papers_image() -> None:
    """A VOC image of Bearman et al.: 20 classes, 1.5 of them present, 2.8 instances; their totals for it."""
    one = Effort()
    assert one.tags(20) == 20.0
    assert abs(one.clicks(20, [1]) - 22.1) < 0.5
    assert abs((one.scribbles(20, 1) + one.scribbles(20, 2)) / 2 - 34.9) < 0.6
    assert abs(one.masks(20, 3) * 0.8 + one.masks(20, 2) * 0.2 - 239.7) < 2
    assert one.boxes(20, 2) == 34.0


def test_a_mask_takes_the_time_that_the_ceiling_is_reckoned_with() -> None:
    """Each class that it shows is outlined once; nobody outlines the background."""
    made = simulate_kind(two_cats(), TABLE, kind=Kind.MASK, image="a", seed=0, mask_file="masks/a.png")
    shown = set(np.unique(two_cats()).tolist()) - {255, TABLE.background}
    assert made.seconds == Effort().masks(len(TABLE.foreground), len(shown))


def test_hints_without_a_time_are_reckoned() -> None:
    cat, dog = TABLE.names[TABLE.foreground[0]], TABLE.names[TABLE.foreground[1]]
    clicks = tuple(Click(name, 1.0, 1.0) for name in (cat, cat, cat, dog))
    hints = Hints("a", shapes=(*clicks, Box(cat, 0, 0, 2, 2)))
    assert Effort().of(hints, TABLE) == pytest.approx(len(TABLE.foreground) + 2 * 2.4 + 2 * 0.9 + 7)
    strokes = tuple(Scribble(name, ((1.0, 1.0), (2.0, 2.0)), 3.0) for name in (cat, cat, dog))
    timed = Effort(tag=0, scribble=5)
    assert timed.of(Hints("a", shapes=strokes), TABLE, budget=4) == 40
    assert Effort().of(Hints("a", mask="masks/a.png"), TABLE) is None


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\ncat\ndog\n")
    for name in ("c", "a", "b"):
        Image.new("RGB", (120, 100)).save(tmp_path / "images" / f"{name}.png")
        write_index_mask(tmp_path / "masks" / f"{name}.png", two_cats(), TABLE)
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_text("c\na\nb\n")
    return open_folder(tmp_path)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_split_in_its_order(data: DataFolder, kind: Kind) -> None:
    every = list(simulate(data, "train", kind, seed=5))
    assert [hints.image for hints in every] == ["c", "a", "b"]
    assert all(kind in hints.kinds() and hints.size == (100, 120) and hints.seconds for hints in every)
    if kind is Kind.MASK:
        assert every[0].mask == "masks/c.png"
    else:
        assert every[1] == simulate_kind(two_cats(), TABLE, kind=kind, image="a", seed=5)


def test_several_processes_give_the_same(data: DataFolder) -> None:
    alone = list(simulate(data, "train", "mixture", seed=5))
    assert list(simulate(data, "train", "mixture", seed=5, workers=2)) == alone


def test_a_split_with_a_fault_is_refused_at_once(data: DataFolder) -> None:
    with pytest.raises(ConfigError, match="mixture"):
        simulate(data, "train", "mixture", budget=2)
    with pytest.raises(DataError, match="no split"):
        simulate(data, "trian", Kind.TAG)
    with pytest.raises(DataError, match="1 of 3 images have no mask: a"):
        simulate(replace(data, masks={n: p for n, p in data.masks.items() if n != "a"}), "train", Kind.TAG)
    write_index_mask(data.masks["a"], two_cats()[:50], TABLE)
    with pytest.raises(DataError, match="50 rows and 120 columns, its image 100 and 120"):
        list(simulate(data, "train", Kind.TAG))


def test_the_command_draws_the_same_hints_with_several_processes(scenes: Path) -> None:
    assert underpaint.simulate(scenes, kind="clicks", jobs=2) == underpaint.simulate(scenes, kind="clicks")
