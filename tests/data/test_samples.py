"""One sample: hints seen through a view."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import HintError
from underpaint.data.samples import Geometry, Sample, collate
from underpaint.data.views import View
from underpaint.hints.rasterise import UNKNOWN
from underpaint.hints.types import Box, Click, Hints, Scribble, Tags

TABLE = ClassTable.of(["background", "cat", "dog"])
SIZE = (40, 60)


def whole(size: tuple[int, int] = SIZE) -> View:
    return View(0, 0, *size, size, (0, 0), size, flip=False)


def zoomed(factor: float, *, flip: bool = False) -> View:
    size = (round(SIZE[0] * factor), round(SIZE[1] * factor))
    return View(0, 0, *SIZE, size, (0, 0), size, flip)


def seeds_of(hints: Hints, view: View, labels: np.ndarray | None = None) -> np.ndarray:
    geometry = Geometry.of(hints, TABLE)
    return geometry.candidates(view, SIZE, TABLE, labels=labels, made=None).seeds()


def test_hints_as_arrays() -> None:
    hints = Hints(
        "a",
        shapes=(
            Click("dog", 1, 2),
            Scribble("cat", ((3, 4), (5, 6)), width=2.5),
            Scribble("background", ((7, 8),)),
            Box("dog", 0, 1, 10, 21),
        ),
        boxed=frozenset({"dog"}),
        tags=Tags(absent=frozenset()),
    )
    geometry = Geometry.of(hints, TABLE)
    assert geometry.points.tolist() == [[3, 4], [5, 6], [7, 8], [1, 2]]
    assert (geometry.lengths, geometry.labels, geometry.widths) == ((2, 1, 1), (1, 0, 2), (2.5, 3.0, 0.0))
    assert (geometry.boxes.tolist(), geometry.box_labels) == ([[0, 1, 10, 21]], (2,))
    anchors = np.array([geometry.anchors(np.random.default_rng(seed)) for seed in range(200)])
    assert (anchors[:, :4] == [[3, 4], [5, 6], [7, 8], [1, 2]]).all()
    np.testing.assert_allclose(anchors[:, 4].min(0), [0, 1], atol=0.5)
    np.testing.assert_allclose(anchors[:, 4].max(0), [10, 21], atol=0.5)
    assert geometry.knowledge.present.tolist() == [True, True, True]
    nothing = Geometry.of(Hints("a"), TABLE)
    assert (nothing.points.shape, nothing.boxes.shape, nothing.anchors(np.random.default_rng(0)).shape) == (
        (0, 2),
        (0, 4),
        (0, 2),
    )
    assert (seeds_of(Hints("a"), whole()) == UNKNOWN).all()


@pytest.mark.parametrize(
    "hints",
    [
        Hints("x/y", shapes=(Click("cta", 1, 1),)),
        Hints("x/y", shapes=(Box("cta", 0, 0, 1, 1),)),
        Hints("x/y", shapes=(Scribble("cta", ((1, 1),)),)),
    ],
)
def test_unknown_class_names_its_image(hints: Hints) -> None:
    with pytest.raises(HintError, match=r"unknown class 'cta'\n.*image 'x/y'\n.*\n.*did you mean 'cat'"):
        Geometry.of(hints, TABLE)


@pytest.mark.parametrize(
    ("hints", "said"),
    [
        (Hints("a", shapes=(Click("cat", 61.5, 3),)), "x=61.5, y=3"),
        (Hints("a", shapes=(Click("cat", 3, -1.01),)), "x=3, y=-1.01"),
        (Hints("a", shapes=(Click("cat", float("nan"), 3),)), "x=nan, y=3"),
        (Hints("a", shapes=(Click("cat", 3, float("inf")),)), "y=inf"),
        (Hints("a", shapes=(Scribble("cat", ((1, 1), (1, 42))),)), "x=1, y=42"),
        (Hints("a", shapes=(Box("cat", 0, 0, 5, 55),)), "x=5, y=55"),
        (Hints("a", shapes=(Box("cat", 100, 0, 105, 5),)), r"2 hint point\(s\).*x=100, y=0"),
    ],
)
def test_hints_outside_the_image_are_refused(hints: Hints, said: str) -> None:
    with pytest.raises(HintError, match=said) as raised:
        Geometry.of(hints, TABLE).check_inside("x/y", SIZE)
    assert "image 'x/y', 60x40 pixels (width x height)" in str(raised.value)
    assert "another size or rotation" in str(raised.value)


def test_rounding_at_the_border_is_forgiven() -> None:
    hints = Hints("a", shapes=(Click("cat", 60.9, 40.9), Click("cat", -0.9, 0), Box("cat", -1, -1, 61, 41)))
    Geometry.of(hints, TABLE).check_inside("a", SIZE)


@pytest.mark.parametrize("factor", [0.5, 0.75, 1.0, 1.5, 3.0])
def test_a_click_is_one_pixel_at_every_zoom(factor: float) -> None:
    seeds = seeds_of(Hints("a", shapes=(Click("dog", 30.3, 20.6),)), zoomed(factor))
    assert np.argwhere(seeds != UNKNOWN).tolist() == [[int(20.6 * factor), int(30.3 * factor)]]
    assert seeds.min() == 2


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([0.5, 0.75, 1.0, 1.6, 2.0]), st.booleans(), st.floats(1, 15), st.integers(0, 2**20))
def test_a_stroke_covers_the_same_of_the_image_at_every_zoom(
    factor: float, flip: bool, width: float, seed: int
) -> None:
    """A pixel is labelled if the place that it shows was painted on in the image: nothing false, at any zoom."""
    vertices = np.random.default_rng(seed).uniform(2, 38, (3, 2))
    hints = Hints("a", shapes=(Scribble("cat", tuple((x, y) for x, y in vertices), width),))
    seeds = seeds_of(hints, zoomed(factor, flip=flip))
    seeds = seeds[:, ::-1] if flip else seeds
    y, x = (np.indices(seeds.shape) + 0.5) / factor
    away = np.minimum(*(distances(x, y, a, b) for a, b in pairwise(vertices)))
    sure = np.abs(away - width / 2) > 1e-3
    for vertex in vertices:
        sure[int(vertex[1] * factor), int(vertex[0] * factor)] = False
    assert np.array_equal(seeds[sure] == 1, away[sure] < width / 2)


def distances(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """From points to the segment a b."""
    run, rise = b - a
    t = np.clip(((x - a[0]) * run + (y - a[1]) * rise) / (run * run + rise * rise), 0, 1)
    found: np.ndarray = np.hypot(x - a[0] - t * run, y - a[1] - t * rise)
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20))
def test_mirrored_view_gives_mirrored_candidates(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (tuple(float(v) for v in rng.uniform(0, extent, 8)) for extent in (60, 40))
    hints = Hints(
        "a",
        shapes=(
            Click("dog", x[0], y[0]),
            Click("background", x[1], y[1]),
            Scribble("cat", ((x[2], y[2]), (x[3], y[3])), 2.7),
            Box("cat", min(x[4], x[5]), min(y[4], y[5]), max(x[4], x[5]), max(y[4], y[5])),
        ),
        boxed=frozenset({"cat"}),
    )
    mask = torch.from_numpy(rng.integers(0, 3, SIZE).astype(np.uint8))
    mask[torch.from_numpy(rng.random(SIZE) < 0.7)] = VOID
    view = View(3, 5, 30, 50, (33, 55), (4, 2), (48, 64), flip=False)
    geometry = Geometry.of(hints, TABLE)
    plain, mirrored = (
        geometry.candidates(v, SIZE, TABLE, labels=v.labels(mask).numpy().copy(), made=None)
        for v in (view, replace(view, flip=True))
    )
    assert np.array_equal(mirrored.allowed(), plain.allowed()[:, ::-1])
    assert np.array_equal(mirrored.seeds(), plain.seeds()[:, ::-1])


def test_mask_strokes_and_a_stage_in_their_order() -> None:
    """A person's mask and strokes contradict each other; what a stage made fills what neither speaks of."""
    labels = np.array([[1, 1, UNKNOWN, UNKNOWN]], np.uint8)
    made = np.array([[2, 2, 2, UNKNOWN]], np.uint8)
    hints = Hints("a", shapes=(Click("background", 2.5, 0.5),))
    view = whole((1, 4))
    found = Geometry.of(hints, TABLE).candidates(view, (1, 4), TABLE, labels=labels.copy(), made=made)
    assert found.seeds().tolist() == [[1, 1, 0, UNKNOWN]]
    contradicted = Hints("a", shapes=(Click("cat", 0.5, 0.5), Click("dog", 1.5, 0.5)))
    found = Geometry.of(contradicted, TABLE).candidates(view, (1, 4), TABLE, labels=labels.copy(), made=None)
    assert found.seeds().tolist() == [[1, UNKNOWN, UNKNOWN, UNKNOWN]]


def test_boxes_travel_with_the_view() -> None:
    hints = Hints("a", shapes=(Box("cat", 10, 10, 20, 20),), boxed=frozenset({"cat", "dog"}))
    view = View(5, 10, 30, 30, (60, 60), (0, 2), (60, 64), flip=False)
    found = Geometry.of(hints, TABLE).candidates(view, SIZE, TABLE, labels=None, made=None)
    allowed = found.allowed()
    inside = np.zeros((60, 64), bool)
    inside[10:30, 2:22] = True
    assert (allowed[inside] == [True, True, False]).all()
    assert (allowed[~inside] == [True, False, False]).all()


def sample(name: str, sets: list[list[bool]], soft: torch.Tensor | None = None) -> Sample:
    return Sample(
        rgb=torch.rand(3, 4, 5),
        valid=torch.ones(4, 5, dtype=torch.bool),
        candidates=np.full((4, 5), len(sets) - 1, np.uint8),
        sets=np.array(sets),
        tags=np.array([True, False, False]),
        tags_known=np.array([True, True, False]),
        boxes=np.array([[0.0, 1, 2, 3]])[: len(sets) - 1],
        box_classes=(2,)[: len(sets) - 1],
        image=name,
        soft=soft,
    )


EVERY, CAT = [True, True, True], [False, True, False]
MEAN, STD = torch.zeros(3), torch.ones(3)


def test_collated_palettes_are_padded_with_what_nobody_points_at() -> None:
    batch = collate([sample("a", [EVERY]), sample("b", [EVERY, CAT])], MEAN, STD)
    assert batch.sets.tolist() == [[EVERY, EVERY], [EVERY, CAT]]
    assert batch.candidates.dtype == torch.uint8
    assert (batch.seeds()[0] == UNKNOWN).all()
    assert (batch.seeds()[1] == 1).all()
    assert [boxes.shape for boxes in batch.boxes] == [(0, 4), (1, 4)]
    assert [boxes.dtype for boxes in batch.boxes] == [torch.float32] * 2
    assert [classes.tolist() for classes in batch.box_classes] == [[], [2]]
    assert batch.ids == ("a", "b")
    assert batch.tags.tolist() == [[True, False, False]] * 2
    assert batch.tags_known.tolist() == [[True, True, False]] * 2
    assert batch.rgb.shape == (2, 3, 4, 5)
    assert batch.soft is None


def test_images_without_soft_labels_do_not_cost_the_others_theirs() -> None:
    soft = torch.rand(3, 4, 5)
    batch = collate([sample("a", [EVERY]), sample("b", [EVERY], soft)], MEAN, STD)
    assert batch.soft is not None
    assert torch.equal(batch.soft, torch.stack([torch.zeros_like(soft), soft]))
