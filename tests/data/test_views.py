"""Views: what happens to the image happens to labels, points and boxes as well, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from underpaint.core.classes import VOID
from underpaint.core.rng import generator
from underpaint.data.views import View, draw_view, jitter_colours
from underpaint.hints.rasterise import box_slices

SOURCE = (60, 80)


@st.composite
def views(draw: st.DrawFn, source: tuple[int, int] = SOURCE) -> View:
    height, width = draw(st.integers(8, source[0])), draw(st.integers(8, source[1]))
    factor = draw(st.floats(0.4, 2.5))
    size = (max(round(height * factor), 4), max(round(width * factor), 4))
    above, left = draw(st.integers(0, 20)), draw(st.integers(0, 20))
    return View(
        draw(st.integers(0, source[0] - height)),
        draw(st.integers(0, source[1] - width)),
        height,
        width,
        size,
        (above, left),
        (above + size[0] + draw(st.integers(0, 20)), left + size[1] + draw(st.integers(0, 20))),
        draw(st.booleans()),
    )


def source_of(view: View, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where pixel centres of the canvas lie in the source image, from the view's own fields."""
    x = column + 0.5
    if view.flip:
        x = view.canvas[1] - x
    y = row + 0.5 - view.offset[0]
    x = x - view.offset[1]
    return view.top + y * view.height / view.size[0], view.left + x * view.width / view.size[1]


def ramp(source: tuple[int, int] = SOURCE) -> Tensor:
    """(2, H, W) uint8: three times y, and three times x, of each pixel's centre, rounded down."""
    rows, columns = torch.meshgrid(torch.arange(source[0]), torch.arange(source[1]), indexing="ij")
    return torch.stack([3 * rows + 1, 3 * columns + 1]).to(torch.uint8)


def window(view: View) -> np.ndarray:
    """(H, W) bool, the canvas pixels that the window covers, from the fields alone."""
    inside = np.zeros(view.canvas, bool)
    inside[view.offset[0] : view.offset[0] + view.size[0], view.offset[1] : view.offset[1] + view.size[1]] = True
    return inside[:, ::-1] if view.flip else inside


@settings(max_examples=60, deadline=None)
@given(views())
def test_image_shows_what_lies_there_in_the_source(view: View) -> None:
    seen = view.image(ramp()).double().numpy()
    inside = window(view)
    assert seen.shape == (2, *view.canvas)
    assert (seen[:, ~inside] == 0).all()
    y, x = source_of(view, *np.indices(view.canvas))
    # A bilinear or averaging filter leaves a ramp as it is, away from the window's own border.
    reach = 1 + max(view.height / view.size[0], view.width / view.size[1])
    deep = inside & (y > view.top + reach) & (y < view.top + view.height - reach)
    deep &= (x > view.left + reach) & (x < view.left + view.width - reach)
    # 1.5 from 3 (r + 0.5) to 3 r + 1 is 0.5; rounding to whole numbers adds half a level: a third of a pixel in all.
    assert np.abs((seen[0] + 0.5) / 3 - y)[deep].max(initial=0) < 0.35
    assert np.abs((seen[1] + 0.5) / 3 - x)[deep].max(initial=0) < 0.35


@settings(max_examples=60, deadline=None)
@given(views(), st.lists(st.tuples(st.floats(-2, 82), st.floats(-2, 62)), min_size=1, max_size=6))
def test_points_go_where_the_fields_say(view: View, points: list[tuple[float, float]]) -> None:
    given_points = np.array(points)
    moved = view.points(given_points, SOURCE)
    assert moved.dtype == np.float64
    # `source_of` takes pixel indices, whose centres are half a pixel on. torchvision scales in single precision.
    y, x = source_of(view, moved[:, 1] - 0.5, moved[:, 0] - 0.5)
    assert np.abs(np.stack([x, y], axis=1) - given_points).max() < 1e-4
    assert np.array_equal(given_points, np.array(points)), "the view changed its input"


@settings(max_examples=60, deadline=None)
@given(views(), st.integers(0, 59), st.integers(0, 79))
def test_a_drawn_point_travels_with_its_point(view: View, row: int, column: int) -> None:
    """The middle of a bright blot in the picture, and the point that says where it was."""
    picture = torch.zeros((1, *SOURCE), dtype=torch.uint8)
    picture[0, max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4] = 240
    y, x = row + 0.5, column + 0.5
    reach = 4.5 + max(view.height / view.size[0], view.width / view.size[1])
    fits = min(y - view.top, view.top + view.height - y, x - view.left, view.left + view.width - x) > reach
    if not fits or min(y, x, 60 - y, 80 - x) < 4:
        return
    seen = view.image(picture)[0].double().numpy()
    rows, columns = np.indices(view.canvas) + 0.5
    middle = np.array([(seen * columns).sum(), (seen * rows).sum()]) / seen.sum()
    assert np.abs(middle - view.points(np.array([[x, y]]), SOURCE)[0]).max() < 0.1


@settings(max_examples=60, deadline=None)
@given(views(), st.integers(0, 59), st.integers(0, 79), st.integers(1, 60), st.integers(1, 80))
def test_labels_agree_with_the_box_that_made_them(view: View, row: int, column: int, height: int, width: int) -> None:
    """A mask that is 1 in a box, through the view, is the box through the view, rasterised."""
    mask = torch.zeros(SOURCE, dtype=torch.uint8)
    mask[row : row + height, column : column + width] = 1
    labels = view.labels(mask).numpy()
    box = np.array([[column, row, min(column + width, 80), min(row + height, 60)]], np.float64)
    covered = np.zeros(view.canvas, np.uint8)
    covered[box_slices(view.boxes(box, SOURCE)[0], view.canvas)] = 1
    covered[~window(view)] = VOID
    y, x = source_of(view, *np.indices(view.canvas))
    ties = (np.abs(y - np.round(y)) < 1e-3) | (np.abs(x - np.round(x)) < 1e-3)
    assert np.array_equal(labels[~ties], covered[~ties])


@settings(max_examples=30, deadline=None)
@given(views())
def test_valid_is_the_window(view: View) -> None:
    assert np.array_equal(view.valid().numpy(), window(view))
    labels = view.labels(torch.ones(SOURCE, dtype=torch.uint8)).numpy()
    assert np.array_equal(labels, np.where(window(view), 1, VOID))


@settings(max_examples=30, deadline=None)
@given(views(), st.integers(0, 2**20))
def test_mirrored_view_is_the_mirrored_result(view: View, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 256, (3, *SOURCE), generator=draw, dtype=torch.uint8)
    boxes = np.array([[3.25, 4, 20, 30.5]])
    plain, mirrored = replace(view, flip=False), replace(view, flip=True)
    assert torch.equal(mirrored.image(picture), plain.image(picture).flip(2))
    assert torch.equal(mirrored.labels(picture[0]), plain.labels(picture[0]).flip(1))
    assert torch.equal(mirrored.valid(), plain.valid().flip(1))
    x0, y0, x1, y1 = plain.boxes(boxes, SOURCE)[0]
    width = view.canvas[1]
    assert mirrored.boxes(boxes, SOURCE)[0] == pytest.approx([width - x1, y0, width - x0, y1])


def test_labels_are_never_mixed() -> None:
    """Class 2 between 1 and 3 would be invented by any averaging."""
    mask = torch.ones(20, 20, dtype=torch.uint8)
    mask[:, 10:] = 3
    view = View(0, 0, 20, 20, (33, 13), (0, 0), (33, 13), flip=False)
    assert set(view.labels(mask).flatten().tolist()) == {1, 3}


def test_the_whole_image_is_unchanged_and_not_shared() -> None:
    picture = torch.randint(0, 256, (3, 12, 10), dtype=torch.uint8)
    view = View(0, 0, 12, 10, (12, 10), (0, 0), (12, 10), flip=False)
    for seen, source in ((view.image(picture), picture), (view.labels(picture[0]), picture[0])):
        assert torch.equal(seen, source)
        assert seen.data_ptr() != source.data_ptr(), "painting seeds on it would change the cached labels"
    corners = np.array([[1.0, 2, 3, 4]])
    assert view.boxes(corners, (12, 10)).tolist() == corners.tolist()


def test_no_boxes_and_boxes_that_leave_the_canvas() -> None:
    view = View(10, 10, 20, 20, (20, 20), (0, 0), (20, 20), flip=False)
    assert view.boxes(np.empty((0, 4)), SOURCE).shape == (0, 4)
    assert view.boxes(np.array([[0.0, 5, 80, 12]]), SOURCE).tolist() == [[-10.0, -5.0, 70.0, 2.0]]


def drawn(key: int, source: tuple[int, int], anchors: np.ndarray, *, flip: bool = True) -> View:
    return draw_view(generator(0, key), source, (32, 48), scales=(0.5, 2.0), flip=flip, anchors=anchors)


NOWHERE = np.empty((0, 2))


def test_a_view_is_a_function_of_its_generator() -> None:
    np.random.seed(0)  # noqa: NPY002  # the global state is what must not matter
    torch.manual_seed(0)
    first = [drawn(key, SOURCE, NOWHERE) for key in range(50)]
    assert [drawn(key, SOURCE, NOWHERE) for key in range(50)] == first
    assert len(set(first)) == 50


def test_views_use_the_whole_image_and_range() -> None:
    found = [drawn(key, SOURCE, NOWHERE) for key in range(400)]
    assert 150 < sum(view.flip for view in found) < 250
    assert not any(drawn(key, SOURCE, NOWHERE, flip=False).flip for key in range(20))
    factors = np.array([view.size[0] / view.height for view in found])
    assert 0.47 < factors.min() < 0.6
    assert 1.7 < factors.max() < 2.15
    assert abs(np.log(factors).mean()) < 0.1, "shrinking and growing should be as likely as each other"
    seen = np.zeros(SOURCE, bool)
    for view in found:
        assert 0 <= view.top <= SOURCE[0] - view.height
        assert 0 <= view.left <= SOURCE[1] - view.width
        seen[view.top : view.top + view.height, view.left : view.left + view.width] = True
    assert seen.all()


@pytest.mark.parametrize("source", [(60, 80), (20, 90), (9, 7), (1, 1), (300, 20)])
def test_proportions_are_kept_and_nothing_leaves_the_canvas(source: tuple[int, int]) -> None:
    for key in range(60):
        view = drawn(key, source, NOWHERE)
        assert all(0 <= view.offset[i] <= view.canvas[i] - view.size[i] for i in range(2))
        assert min(view.height, view.width, *view.size) >= 1
        down, across = view.size[0] / view.height, view.size[1] / view.width
        # A side that is rounded to whole pixels is off by one at most, before and after.
        slack = 1.5 / min(view.height, view.width, *view.size) + 0.02
        assert down / across == pytest.approx(1, abs=2 * slack)
        assert view.image(torch.zeros((3, *source), dtype=torch.uint8)).shape == (3, 32, 48)


def test_small_image_is_padded_on_all_sides() -> None:
    found = [drawn(key, (10, 12), NOWHERE) for key in range(100)]
    for view in found:
        assert (view.height, view.width) == (10, 12)
        assert int(view.valid().sum()) == view.size[0] * view.size[1] < 32 * 48
    assert len({view.offset for view in found}) > 50


@pytest.mark.parametrize("source", [(200, 300), (60, 80), (33, 49), (12, 500), (5, 5)])
def test_a_hint_is_seen_whenever_there_is_one(source: tuple[int, int]) -> None:
    for key in range(200):
        rng = generator(1, key)
        pixel = np.array([rng.integers(source[1]), rng.integers(source[0])])
        if key < 8:  # the corners
            pixel = np.array([(source[1] - 1) * (key & 1), (source[0] - 1) * (key >> 1 & 1)])
        anchors = (pixel + rng.uniform(0.01, 0.99, 2))[None]
        view = drawn(key, source, anchors)
        column, row = np.floor(view.points(anchors, source)[0]).astype(int)
        assert 0 <= row < 32
        assert 0 <= column < 48
        assert view.valid()[row, column]


def test_of_several_hints_any_may_be_the_one() -> None:
    anchors = np.array([[5.5, 5.5], [295.5, 5.5], [150.5, 195.5]])
    seen = np.zeros(3, int)
    for key in range(200):
        view = drawn(key, (200, 300), anchors)
        x, y = view.points(anchors, (200, 300)).T
        seen += (x >= 0) & (x < 48) & (y >= 0) & (y < 32)
    assert seen.sum() >= 200
    assert seen.min() > 30


@pytest.mark.parametrize("point", [(-1.0, -1.0), (81.0, 61.0), (80.0, 60.0), (-0.5, 30.0)])
def test_a_hint_beside_the_image_does_not_move_the_window_out(point: tuple[float, float]) -> None:
    for key in range(30):
        view = drawn(key, SOURCE, np.array([point]))
        assert 0 <= view.top <= SOURCE[0] - view.height
        assert 0 <= view.left <= SOURCE[1] - view.width


def jitter_by_hand(rgb: np.ndarray, factors: np.ndarray) -> np.ndarray:
    brightness, contrast, saturation = factors
    grey = rgb.mean(axis=0)
    saturated = grey + (rgb - grey) * saturation
    contrasted = grey.mean() + (saturated - grey.mean()) * contrast
    result: np.ndarray = np.clip(contrasted * brightness, 0, 1)
    return result


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.4, 0.99])
def test_jitter_is_the_three_steps(strength: float) -> None:
    rgb = torch.rand(3, 9, 11, generator=torch.Generator().manual_seed(0))
    before = rgb.clone()
    for key in range(20):
        jittered = jitter_colours(rgb, generator(0, key), strength)
        factors = generator(0, key).uniform(1 - strength, 1 + strength, size=3)
        assert np.abs(jittered.numpy() - jitter_by_hand(rgb.double().numpy(), factors)).max() < 1e-6
        assert 0 <= jittered.min() <= jittered.max() <= 1
    assert torch.equal(rgb, before), "the input was changed"


def test_no_jitter_is_the_identity() -> None:
    rgb = torch.rand(3, 9, 11)
    assert torch.equal(jitter_colours(rgb, generator(0), 0.0), rgb)
