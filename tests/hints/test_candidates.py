"""Candidate sets, against Python sets that restate the rule pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.hints.candidates import MAX_SETS, Candidates, ImageKnowledge, build_candidates
from underpaint.hints.rasterise import UNKNOWN, paint_seeds
from underpaint.hints.types import Box, Click, Hints, Kind, Scribble, Tags

TABLE = ClassTable.of(["background", "cat", "dog", "hen"])
THINGS = ClassTable.of(["sky", "grass", "cow"])


@dataclass
class Scene:
    """What is said of an image of ``size``, as plain Python values."""

    size: tuple[int, int]
    classes: int
    background: int | None
    absent: set[int]
    boxed: set[int]
    boxes: list[tuple[int, tuple[float, float, float, float]]]
    seeds: dict[tuple[int, int], int]

    def build(self) -> Candidates:
        seeds = np.full(self.size, UNKNOWN, np.uint8)
        for cell, label in self.seeds.items():
            seeds[cell] = label
        corners = np.array([box for _, box in self.boxes], np.float64).reshape(-1, 4)
        return build_candidates(
            knowledge(self.classes, absent=self.absent, boxed=self.boxed),
            seeds,
            corners,
            [label for label, _ in self.boxes],
            self.background,
        )

    def expected(self, cell: tuple[int, int]) -> tuple[set[int], bool]:
        """The classes that a pixel may have, and whether something was said of this very pixel."""
        every = set(range(self.classes)) - self.absent
        if cell in self.seeds:
            return {self.seeds[cell]}, True
        y, x = cell[0] + 0.5, cell[1] + 0.5
        inside = {label for label, (x0, y0, x1, y1) in self.boxes if x0 <= x < x1 and y0 <= y < y1}
        if not inside:
            allowed = every - self.boxed
        elif self.background is not None:
            allowed = every & (inside | {self.background})
        else:
            allowed = {c for c in every if c in inside or c not in self.boxed}
        if not allowed:  # the boxes and the tags contradict each other here
            return every, False
        return allowed, bool(inside) or allowed != every


def knowledge(classes: int, *, absent: set[int] = frozenset(), boxed: set[int] = frozenset()) -> ImageKnowledge:  # type: ignore[assignment]  # immutable default
    return ImageKnowledge(
        present=np.zeros(classes, bool),
        absent=np.isin(np.arange(classes), list(absent)),
        boxed=np.isin(np.arange(classes), list(boxed)),
    )


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    size = (draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    classes = draw(st.integers(2, 6))
    labels = st.integers(0, classes - 1)
    corner = st.integers(-8, 36).map(lambda q: q / 4)
    boxes = draw(st.lists(st.tuples(labels, st.tuples(corner, corner, corner, corner)), max_size=5))
    cells = st.tuples(st.integers(0, size[0] - 1), st.integers(0, size[1] - 1))
    return Scene(
        size,
        classes,
        draw(st.none() | labels),
        draw(st.sets(labels, max_size=classes - 1)),
        draw(st.sets(labels)),
        boxes,
        draw(st.dictionaries(cells, labels, max_size=5)),
    )


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_every_pixel_has_the_candidates_that_the_rule_gives(scene: Scene) -> None:
    built = scene.build()
    assert built.index.dtype == np.uint8
    assert built.index.shape == scene.size
    assert len(np.unique(built.sets[1:], axis=0)) == len(built.sets) - 1, "a set stands twice in the palette"
    allowed, seeds = built.allowed(), built.seeds()
    for cell in np.ndindex(*scene.size):
        expected, particular = scene.expected((cell[0], cell[1]))
        assert set(np.flatnonzero(allowed[cell]).tolist()) == expected
        assert (built.index[cell] != 0) == particular
        assert seeds[cell] == (next(iter(expected)) if particular and len(expected) == 1 else UNKNOWN)


def test_boxes_and_tags_that_leave_no_class_say_nothing() -> None:
    """Everything but cow is absent, and cow is boxed: outside its box no class is left."""
    built = Scene((1, 2), 3, None, {0, 1}, {2}, [(2, (0, 0, 1, 1))], {}).build()
    assert built.allowed().tolist() == [[[False, False, True]] * 2]
    assert built.seeds().tolist() == [[2, UNKNOWN]]


def test_inside_of_a_box_is_hinted_even_where_tags_say_the_same() -> None:
    """So that tags beside a box do not take away what the box teaches: set 0 is what only the whole image says."""
    built = Scene((1, 2), 3, 0, {2}, set(), [(1, (0, 0, 1, 1))], {}).build()
    assert built.allowed().tolist() == [[[True, True, False]] * 2]
    assert built.index.tolist() == [[1, 0]]


def test_nothing_said_is_one_set_of_all_classes() -> None:
    built = Scene((3, 4), 3, 0, set(), set(), [], {}).build()
    assert built.sets.tolist() == [[True, True, True]]
    assert (built.index == 0).all()
    assert (built.seeds() == UNKNOWN).all()


def test_a_single_tag_is_no_seed() -> None:
    """Everything absent but one class: each pixel has one candidate, and still nobody pointed at any."""
    built = Scene((2, 2), 3, None, {0, 2}, set(), [], {(0, 1): 1}).build()
    assert built.allowed().tolist() == [[[False, True, False]] * 2] * 2
    assert built.seeds().tolist() == [[UNKNOWN, 1], [UNKNOWN, UNKNOWN]]


def test_complete_boxes_make_background_outside() -> None:
    scene = Scene((1, 4), 3, 0, set(), {1, 2}, [(1, (0, 0, 2, 1)), (2, (1, 0, 3, 1))], {})
    assert [sorted(scene.expected((0, x))[0]) for x in range(4)] == [[0, 1], [0, 1, 2], [0, 2], [0]]
    assert scene.build().seeds().tolist() == [[UNKNOWN, UNKNOWN, UNKNOWN, 0]]


def test_complete_boxes_without_background_class() -> None:
    """Cow is boxed: outside its box there is sky or grass; inside, all three."""
    hints = Hints("a", shapes=(Box("cow", 0, 0, 1, 1),), boxed=frozenset({"cow"}))
    found = ImageKnowledge.of(hints, THINGS)
    built = build_candidates(found, np.full((1, 2), UNKNOWN, np.uint8), np.array([[0.0, 0, 1, 1]]), [2], None)
    assert built.allowed().tolist() == [[[True, True, True], [True, True, False]]]


def test_boxed_class_without_a_box_is_absent() -> None:
    found = ImageKnowledge.of(Hints("a", boxed=frozenset({"cow", "sky"})), THINGS)
    assert found.absent.tolist() == [True, False, True]
    built = build_candidates(found, np.full((2, 2), UNKNOWN, np.uint8), np.empty((0, 4)), (), None)
    assert built.allowed().tolist() == [[[False, True, False]] * 2] * 2
    assert (built.seeds() == UNKNOWN).all()


def many_combinations(seeds: dict[tuple[int, int], int]) -> Scene:
    """Pixel i of 16 x 32 lies in the boxes of those of nine classes whose bit is set in i."""
    boxes = [
        (bit + 1, (float(i % 32), float(i // 32), float(i % 32 + 1), float(i // 32 + 1)))
        for i in range(512)
        for bit in range(9)
        if i >> bit & 1
    ]
    return Scene((16, 32), 10, 0, set(), set(range(1, 10)), boxes, seeds)


def test_combinations_beyond_the_palette_say_less_and_nothing_false() -> None:
    labels = {(r, c): (r + c) % 10 for r in range(0, 16, 3) for c in range(0, 32, 5)}
    scene = many_combinations(labels)
    built = scene.build()
    assert len(built.sets) == MAX_SETS == 256
    fell_back = 0
    for cell in np.ndindex(16, 32):
        expected, _ = scene.expected((cell[0], cell[1]))
        if built.index[cell] == 0:
            fell_back += 1
        else:
            assert set(np.flatnonzero(built.sets[built.index[cell]]).tolist()) == expected
    assert built.sets[0].all()
    assert 0 < fell_back < 512
    for cell, label in labels.items():
        assert built.seeds()[cell] == label, "a seed is worth more than a box, and must never be the one left out"


def test_unknown_stays_unknown() -> None:
    """What no hint speaks of keeps every class, and is no seed."""
    seeds = paint_seeds([(2, np.array([[1.5, 1.5]]), 0.0)], (4, 4))
    built = build_candidates(knowledge(4), seeds, np.array([[2.0, 2, 4, 4]]), [1], 0)
    untouched = np.ones((4, 4), bool)
    untouched[1, 1] = untouched[2:, 2:] = False
    assert built.allowed()[untouched].all()
    assert (built.seeds()[untouched] == UNKNOWN).all()


@st.composite
def masks(draw: st.DrawFn) -> tuple[np.ndarray, ClassTable]:
    table = draw(st.sampled_from([TABLE, THINGS, ClassTable.of("abcde")]))
    height, width = draw(st.integers(2, 9)), draw(st.integers(2, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    coarse = rng.integers(0, len(table), (height // 2 + 1, width // 2 + 1))
    return np.kron(coarse, np.ones((2, 2)))[:height, :width].astype(np.uint8), table


def tight_boxes(mask: np.ndarray, classes: list[int], table: ClassTable) -> list[Box]:
    found = []
    for c in classes:
        regions, _ = ndimage.label(mask == c)
        for rows, columns in ndimage.find_objects(regions):
            found.append(Box(table.names[c], columns.start, rows.start, columns.stop, rows.stop))
    return found


@settings(max_examples=60, deadline=None)
@given(masks(), st.data())
def test_hints_of_a_mask_agree_with_the_mask(drawn: tuple[np.ndarray, ClassTable], data: st.DataObject) -> None:
    """Whatever is drawn from a mask, the true class of every pixel stays a candidate, and every seed is right."""
    mask, table = drawn
    shown = {table.names[c] for c in np.unique(mask)}
    every = range(len(table))
    # With a background class, the inside of a box is box or background, which holds where all things are boxed.
    some = data.draw(st.sets(st.sampled_from(list(every))))
    boxed = sorted(some) if table.background is None else list(table.foreground) if some else []
    boxes = tight_boxes(mask, boxed, table)
    rows, columns = st.integers(0, mask.shape[0] - 1), st.integers(0, mask.shape[1] - 1)
    cells = data.draw(st.lists(st.tuples(rows, columns), max_size=6))
    strokes = [(int(mask[cell]), np.array([[cell[1] + 0.5, cell[0] + 0.5]]), 0.0) for cell in cells]
    hints = Hints(
        "a",
        shapes=(*tuple(Click(table.names[mask[r, c]], c + 0.5, r + 0.5) for r, c in cells), *tuple(boxes)),
        boxed=frozenset(table.names[c] for c in boxed),
        tags=data.draw(st.none() | st.just(Tags.complete(frozenset(shown), table.names))),
    )
    found = ImageKnowledge.of(hints, table)
    assert not found.absent[np.unique(mask)].any()
    assert found.present[np.unique(mask)].sum() == found.present.sum()
    corners = np.array([(b.x0, b.y0, b.x1, b.y1) for b in boxes], np.float64).reshape(-1, 4)
    labels = [table.index(box.name) for box in boxes]
    built = build_candidates(found, paint_seeds(strokes, mask.shape), corners, labels, table.background)
    height, width = np.indices(mask.shape)
    assert built.allowed()[height, width, mask].all()
    seeds = built.seeds()
    assert (seeds[seeds != UNKNOWN] == mask[seeds != UNKNOWN]).all()
    assert all(seeds[cell] == mask[cell] for cell in cells)


def test_drawing_and_tagging_say_that_a_class_occurs() -> None:
    hints = Hints(
        "a",
        shapes=(Click("cat", 1, 1), Scribble("background", ((1, 1), (2, 2))), Box("dog", 0, 0, 2, 2)),
        tags=Tags(present=frozenset(), absent=frozenset({"hen"})),
    )
    found = ImageKnowledge.of(hints, TABLE)
    assert found.present.tolist() == [True, True, True, False]
    assert found.absent.tolist() == [False, False, False, True]
    assert not found.boxed.any()
    assert hints.kinds() == {Kind.CLICK, Kind.SCRIBBLE, Kind.BOX, Kind.TAG}
    assert list(hints.names()) == ["cat", "background", "dog", "hen"]


@pytest.mark.parametrize(
    ("hints", "said"),
    [
        (Hints("a", shapes=(Click("cta", 1, 1),)), r"unknown class 'cta'\n.*image 'a'\n.*\n.*did you mean 'cat'"),
        (Hints("a", boxed=frozenset({"cow"})), "unknown class 'cow'"),
        (Hints("a", tags=Tags(absent=frozenset({"cow"}))), "unknown class 'cow'"),
        (
            Hints("a", shapes=(Click("cat", 1, 1),), tags=Tags.complete(frozenset({"dog"}), TABLE.names)),
            r"cat: drawn or tagged as present, but also stated to be absent\n.*image 'a'\n.*correct the tags",
        ),
        (Hints("a", tags=Tags(frozenset({"dog"}), frozenset({"dog"}))), "dog: drawn or tagged"),
        (Hints("a", shapes=(Click("cat", 1, 1),), boxed=frozenset({"cat"})), "cat: drawn or tagged"),
        (Hints("a", tags=Tags.complete(frozenset(), TABLE.names)), "every class is stated to be absent"),
    ],
)
def test_contradictory_hints_are_refused(hints: Hints, said: str) -> None:
    with pytest.raises(HintError, match=said):
        ImageKnowledge.of(hints, TABLE)
