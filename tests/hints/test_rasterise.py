"""Geometry to pixels, against loops that restate the rule."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.hints.rasterise import UNKNOWN, box_slices, paint_seeds, stroke_pixels

Point = tuple[float, float]
Size = tuple[int, int]
Cells = set[tuple[int, int]]
Stroke = tuple[int, list[Point], float]

TIE = 1e-6
"""Distances that are equal to half the width up to rounding may fall on either side."""

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
near = st.one_of(st.integers(-40, 100).map(lambda q: q / 4), st.floats(-8, 20, width=32))
points = st.lists(st.tuples(near, near), min_size=1, max_size=5)
widths = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 3.0]), st.floats(0, 9, width=32))


def distance(x: float, y: float, a: Point, b: Point) -> float:
    """From a point to the segment a b."""
    run, rise = b[0] - a[0], b[1] - a[1]
    squared = run * run + rise * rise
    t = 0.0 if squared == 0 else min(max(((x - a[0]) * run + (y - a[1]) * rise) / squared, 0.0), 1.0)
    return math.hypot(x - a[0] - t * run, y - a[1] - t * rise)


def brute_stroke(vertices: list[Point], width: float, size: Size) -> tuple[Cells, Cells]:
    """The pixels that a stroke labels, and those where rounding decides."""
    holding = {(math.floor(y), math.floor(x)) for x, y in vertices}
    segments = list(pairwise(vertices)) or [(vertices[0], vertices[0])]
    sure: Cells = set()
    ties: Cells = set()
    for row in range(size[0]):
        for column in range(size[1]):
            away = min(distance(column + 0.5, row + 0.5, a, b) for a, b in segments)
            if (row, column) in holding or (width > 0 and away < width / 2 - TIE):
                sure.add((row, column))
            elif width > 0 and away <= width / 2 + TIE:
                ties.add((row, column))
    return sure, ties


def drawn(vertices: list[Point], width: float, size: Size) -> Cells:
    rows, columns = stroke_pixels(np.array(vertices, np.float64), width, size)
    return set(zip(rows.tolist(), columns.tolist(), strict=True))


def painted(strokes: list[Stroke], size: Size) -> np.ndarray:
    return paint_seeds([(label, np.array(vertices, np.float64), width) for label, vertices, width in strokes], size)


@settings(max_examples=100, deadline=None)
@given(points, widths, sizes)
def test_stroke_labels_what_the_rule_says(vertices: list[Point], width: float, size: Size) -> None:
    sure, ties = brute_stroke(vertices, width, size)
    got = drawn(vertices, width, size)
    assert sure <= got <= sure | ties


far = st.tuples(st.floats(-900, 900), st.floats(-900, 900))


@settings(max_examples=30, deadline=None)
@given(st.lists(far, min_size=2, max_size=3), st.floats(0, 30), sizes)
def test_long_strokes_from_far_outside(vertices: list[Point], width: float, size: Size) -> None:
    sure, ties = brute_stroke(vertices, width, size)
    got = drawn(vertices, width, size)
    assert sure <= got <= sure | ties


def test_a_click_labels_its_pixel_alone() -> None:
    assert drawn([(2.0, 3.999)], 0.0, (5, 5)) == {(3, 2)}
    assert drawn([(5.0, 0.5)], 0.0, (5, 5)) == set()
    assert drawn([(-0.001, 0.5)], 0.0, (5, 5)) == set()


def test_no_width_labels_the_vertices_alone() -> None:
    """Even where the line runs through pixel centres."""
    assert drawn([(0.5, 0.5), (4.5, 0.5)], 0.0, (5, 5)) == {(0, 0), (0, 4)}


def test_a_thin_pen_keeps_its_vertices() -> None:
    assert drawn([(0.1, 0.1), (2.9, 0.1)], 0.5, (3, 3)) == {(0, 0), (0, 2)}


def test_a_dot_and_a_stroke_of_no_length_are_one() -> None:
    disc = {(r, c) for r in range(7) for c in range(7) if math.hypot(r - 3, c - 3) <= 2}
    assert drawn([(3.5, 3.5)], 4.0, (7, 7)) == disc
    assert drawn([(3.5, 3.5)] * 3, 4.0, (7, 7)) == disc


def test_a_level_stroke_by_hand() -> None:
    """Width 3 around row 2: the corners are sqrt 2 away from the ends, within 1.5."""
    got = painted([(4, [(2.5, 2.5), (4.5, 2.5)], 3.0)], (5, 7))
    picture = ["       ", " ##### ", " ##### ", " ##### ", "       "]
    assert np.array_equal(got, [[4 if mark == "#" else UNKNOWN for mark in row] for row in picture])


def test_a_stroke_without_points_labels_nothing() -> None:
    rows, columns = stroke_pixels(np.empty((0, 2)), 3.0, (4, 4))
    assert len(rows) == len(columns) == 0


@settings(max_examples=80, deadline=None)
@given(near, near, near, near, sizes)
def test_box_covers_the_centres_that_it_contains(x0: float, y0: float, x1: float, y1: float, size: Size) -> None:
    covered = np.zeros(size, bool)
    covered[box_slices(np.array([x0, y0, x1, y1], np.float64), size)] = True
    for row in range(size[0]):
        for column in range(size[1]):
            assert covered[row, column] == (x0 <= column + 0.5 < x1 and y0 <= row + 0.5 < y1)


def test_box_of_whole_numbers_is_half_open() -> None:
    rows, columns = box_slices(np.array([1.0, 2.0, 4.0, 3.0]), (9, 9))
    assert (rows.start, rows.stop, columns.start, columns.stop) == (2, 3, 1, 4)


strokes = st.lists(st.tuples(st.integers(0, 3), points, widths), max_size=5)


@settings(max_examples=40, deadline=None)
@given(strokes, sizes, st.randoms(use_true_random=False))
def test_contradictions_are_unknown_in_any_order(drawing: list[Stroke], size: Size, random: object) -> None:
    claims: dict[tuple[int, int], set[int]] = {}
    doubtful: Cells = set()
    for label, vertices, width in drawing:
        sure, ties = brute_stroke(vertices, width, size)
        doubtful |= ties
        for cell in sure:
            claims.setdefault(cell, set()).add(label)
    shuffled = sorted(drawing, key=lambda _: random.random())  # type: ignore[attr-defined]  # a random.Random
    for got in (painted(drawing, size), painted(shuffled, size)):
        for cell in set(np.ndindex(size)) - doubtful:
            said = claims.get(cell, set())
            assert got[cell] == (next(iter(said)) if len(said) == 1 else UNKNOWN)


def test_strokes_over_a_partial_mask() -> None:
    """The same class changes nothing, another one makes the pixel unknown, and the mask is painted on in place."""
    mask = np.array([[0, 1, UNKNOWN, 1]], np.uint8)
    stroke = (1, np.array([[0.5, 0.5], [2.5, 0.5]]), 1.0)
    result = paint_seeds([stroke], (1, 4), mask)
    assert result is mask
    assert result.tolist() == [[UNKNOWN, 1, 1, 1]]


def test_a_third_stroke_does_not_settle_a_quarrel() -> None:
    dot = [(0.5, 0.5)]
    assert painted([(1, dot, 0.0), (2, dot, 0.0), (1, dot, 0.0), (1, dot, 0.0)], (1, 1))[0, 0] == UNKNOWN


inner = st.floats(-4, 16).filter(lambda value: abs(value - round(value)) > 1e-3)
polylines = st.lists(st.tuples(inner, inner), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), polylines, widths), max_size=4), sizes)
def test_mirroring_commutes(drawing: list[Stroke], size: Size) -> None:
    """Mirror the strokes and rasterise, or rasterise and mirror."""
    mirrored = [(label, [(size[1] - x, y) for x, y in vertices], width) for label, vertices, width in drawing]
    ties = {cell for _, vertices, width in drawing for cell in brute_stroke(vertices, width, size)[1]}
    once, twice = painted(drawing, size), painted(mirrored, size)[:, ::-1]
    for cell in set(np.ndindex(size)) - ties:
        assert once[cell] == twice[cell]


half = st.floats(-4, 16).filter(lambda value: abs(value - 0.5 - round(value - 0.5)) > 1e-3)


@settings(max_examples=50, deadline=None)
@given(half, half, half, half, sizes)
def test_mirroring_commutes_for_boxes(x0: float, y0: float, x1: float, y1: float, size: Size) -> None:
    once, twice = np.zeros(size, bool), np.zeros(size, bool)
    once[box_slices(np.array([x0, y0, x1, y1]), size)] = True
    twice[box_slices(np.array([size[1] - x1, y0, size[1] - x0, y1]), size)] = True
    assert np.array_equal(once, twice[:, ::-1])


def test_cost_follows_the_stroke_and_not_the_image() -> None:
    """A stroke of 10,000 pixels on a 10,000-pixel image looks at blocks of some 20 pixels a side."""
    stroke = np.array([[0.0, 0.0], [9999.0, 9999.0]])
    rows, columns = stroke_pixels(stroke, 3.0, (10_000, 10_000))
    assert set(range(10_000)) == set(rows.tolist()) == set(columns.tolist())
    assert np.abs(rows - columns).max() == 2  # 2 / sqrt 2 < 1.5 < 3 / sqrt 2


@pytest.mark.parametrize("width", [64.0, 1.0])
def test_a_wide_pen_next_to_a_narrow_one(width: float) -> None:
    sure, ties = brute_stroke([(-20.0, 5.3), (3.2, 40.0)], width, (20, 20))
    assert sure <= drawn([(-20.0, 5.3), (3.2, 40.0)], width, (20, 20)) <= sure | ties
