"""Boxes on a grid against the rule of the rasteriser, projections and colour pairs against plain loops."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2lab
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.classes import ClassTable
from underpaint.data.samples import Sample, collate
from underpaint.hints.candidates import ImageKnowledge, build_candidates
from underpaint.hints.rasterise import UNKNOWN, box_slices
from underpaint.methods.box_uncertainty.boxes import BoxGrid, Unlabelled, projection_loss
from underpaint.methods.box_uncertainty.colour_pairs import DILATION, SIMILAR, same_label_loss, to_lab
from underpaint.records import Batch

CLASSES = ClassTable.of(("background", "cat", "dog", "cow"))
Boxes = list[tuple[float, float, float, float]]


def box_batch(
    boxes: list[Boxes],
    labels: list[tuple[int, ...]],
    *,
    size: tuple[int, int] = (24, 32),
    background: int | None = 0,
    boxed: tuple[int, ...] = (1, 2, 3),
    seeds: dict[tuple[int, int, int], int] | None = None,
    padding: int = 0,
) -> Batch:
    """Random photographs with boxes; ``seeds`` are labelled pixels, the last ``padding`` columns are no image."""
    rng = np.random.default_rng(0)
    samples = []
    for n, (held, classes) in enumerate(zip(boxes, labels, strict=True)):
        seed = np.full(size, UNKNOWN, np.uint8)
        for (image, row, column), label in (seeds or {}).items():
            if image == n:
                seed[row, column] = label
        valid = np.ones(size, bool)
        valid[:, size[1] - padding :] = False
        known = np.zeros(4, bool)
        every = ImageKnowledge(known, known, np.isin(np.arange(4), boxed))
        corners = np.array(held, np.float64).reshape(-1, 4)
        candidates = build_candidates(every, seed, corners, classes, background)
        rgb = torch.from_numpy(rng.random((3, *size), np.float32)) * torch.from_numpy(valid)
        samples.append(
            Sample(rgb, torch.from_numpy(valid), candidates.index, candidates.sets, known, known, corners, classes, "n")
        )
    return collate(samples, torch.zeros(3), torch.ones(3))


TWO = box_batch(
    [[(2, 3, 17.4, 20), (10, 1, 30, 12), (0, 0, 1, 1)], [(-6, 4, 9, 21.5), (12, 4, 40, 20)]],
    [(1, 2, 1), (3, 1)],
    seeds={(0, 10, 10): 0, (0, 6, 14): 2},
)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_cell_is_explained_where_its_rows_and_columns_show_the_class(share: float) -> None:
    """In every box over it; against a loop over boxes and cells."""
    grid = BoxGrid.of(TWO, (12, 16))
    seen = torch.randint(0, 4, (2, 12, 16), generator=torch.Generator().manual_seed(1))
    seen[torch.rand(2, 12, 16, generator=torch.Generator().manual_seed(2)) >= share] = 0
    wanted = torch.ones(2, 12, 16, dtype=torch.bool)
    for image, label, rows, columns in zip(grid.image, grid.label, grid.rows, grid.columns, strict=True):
        held = [(int(i), int(j)) for i in rows.nonzero() for j in columns.nonzero()]
        hits = [(i, j) for i, j in held if seen[image, i, j] == label]
        for i, j in held:
            if i not in {row for row, _ in hits} or j not in {column for _, column in hits}:
                wanted[image, i, j] = False
    assert torch.equal(grid.explained(seen), wanted)
    assert bool(wanted.all()) is False


sides = st.tuples(st.integers(-60, 160), st.integers(1, 160)).map(lambda p: (p[0] / 4, (p[0] + p[1]) / 4))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(sides, sides, st.integers(1, 3)), max_size=5), st.sampled_from([(24, 32), (6, 8), (5, 7)]))
def test_cells_are_covered_as_the_pixels_under_their_centres(
    drawn: list[tuple[tuple[float, float], tuple[float, float], int]], grid: tuple[int, int]
) -> None:
    boxes: Boxes = [(x[0], y[0], x[1], y[1]) for x, y, _ in drawn]
    labels = tuple(label for _, _, label in drawn)
    cover = BoxGrid.of(box_batch([boxes, []], [labels, ()]), grid).cover(2, 4)
    wanted = np.zeros((2, 4, 24, 32), bool)
    for box, label in zip(boxes, labels, strict=True):
        wanted[0, label][box_slices(np.array(box), (24, 32))] = True
    rows = [int((i + 0.5) * 24 / grid[0]) for i in range(grid[0])]
    columns = [int((j + 0.5) * 32 / grid[1]) for j in range(grid[1])]
    assert np.array_equal(cover.numpy(), wanted[:, :, rows][:, :, :, columns])


@pytest.mark.parametrize(("background", "boxed"), [(0, (1, 2, 3)), (None, (1, 2)), (None, (1, 2, 3)), (None, ())])
def test_unlabelled_cells_and_what_else_they_may_be(background: int | None, boxed: tuple[int, ...]) -> None:
    """Where there is no background, what is no object is every class that is not completely boxed."""
    batch = box_batch(
        [[(2, 3, 17, 20), (10, 1, 30, 12)]],
        [(1, 2)],
        background=background,
        boxed=boxed,
        seeds={(0, 6, 12): 3, (0, 14, 6): 1},
        padding=4,
    )
    grid = BoxGrid.of(batch, (24, 32))
    found = Unlabelled.of(grid, batch, batch.seeds())
    order = iter(range(len(found.label)))
    for row in range(24):
        for column in range(32):
            label = {1} if 2 <= column < 17 and 3 <= row < 20 else set()
            label |= {2} if 10 <= column < 30 and 1 <= row < 12 else set()
            seeded = (row, column) in ((6, 12), (14, 6))
            inside = bool(label) and column < 28 and not seeded
            # Two classes that share a cell, with no third candidate, leave no rest.
            rest = ({0} if background == 0 else {c for c in range(4) if c not in boxed}) - label
            single = len(label | rest) == 1
            assert bool(found.where[0, row, column]) == (inside and not single)
            if inside and not single:
                i = next(order)
                assert set(found.label[i].nonzero()[:, 0].tolist()) == label
                assert set(found.rest[i].nonzero()[:, 0].tolist()) == rest
    assert next(order, None) is None


def loop_projection(p: Tensor, boxes: list[Boxes], labels: list[tuple[int, ...]], batch: Batch) -> float:
    height, width = batch.valid.shape[1:]
    h, w = p.shape[2:]
    losses = []
    for n, held in enumerate(boxes):
        for (x0, y0, x1, y1), label in zip(held, labels[n], strict=True):
            centres = [(int((i + 0.5) * height / h), int((j + 0.5) * width / w)) for i in range(h) for j in range(w)]
            cells = [
                (r, c, float(p[n, label].reshape(-1)[k]))
                for k, (r, c) in enumerate(centres)
                if y0 <= r + 0.5 < y1 and x0 <= c + 0.5 < x1 and batch.valid[n, r, c]
            ]
            for axis, whole in ((0, x0 >= -1 and x1 <= width + 1), (1, y0 >= -1 and y1 <= height + 1)):
                lines = sorted({cell[axis] for cell in cells})
                if not whole or not lines:
                    continue
                peaks = [max(cell[2] for cell in cells if cell[axis] == line) for line in lines]
                losses.append(1 - 2 * sum(peaks) / (sum(m * m for m in peaks) + len(peaks)))
    return sum(losses) / len(losses)


CUT: Boxes = [(-6, 4, 9, 21.5), (12, -4, 40, 20), (3, 2, 18, 30)]


@pytest.mark.parametrize("grid", [(6, 8), (24, 32), (5, 7)])
def test_projection_equals_a_loop_and_leaves_out_what_the_crop_cuts(grid: tuple[int, int]) -> None:
    boxes: list[Boxes] = [[(2, 3, 17.4, 20), (10, 1, 30, 12), (0, 0, 1, 1)], CUT]
    labels: list[tuple[int, ...]] = [(1, 2, 1), (3, 1, 2)]
    batch = box_batch(boxes, labels, padding=3)
    p = torch.rand(2, 4, *grid, generator=torch.Generator().manual_seed(1)).double()
    found = projection_loss(p, BoxGrid.of(batch, grid), batch.valid)
    assert float(found) == pytest.approx(loop_projection(p, boxes, labels, batch), abs=1e-9)


def test_projection_is_nothing_where_every_row_and_column_is_sure() -> None:
    """A diagonal is enough: tightness says no more."""
    batch = box_batch([[(4, 4, 12, 12)]], [(1,)])
    p = torch.zeros(1, 4, 24, 32)
    for i in range(4, 12):
        p[0, 1, i, i] = 1
    grid = BoxGrid.of(batch, (24, 32))
    assert float(projection_loss(p, grid, batch.valid)) == pytest.approx(0, abs=1e-6)
    p[0, 1, 6, 6] = 0
    assert float(projection_loss(p, grid, batch.valid)) > 0.03


def test_projection_gradient_equals_differences() -> None:
    p = torch.rand(2, 4, 6, 8, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    grid = BoxGrid.of(TWO, (6, 8))
    assert torch.autograd.gradcheck(lambda held: projection_loss(held, grid, TWO.valid), (p,))


@pytest.mark.parametrize("boxes", [[], [(-9.0, -9.0, 60.0, 60.0)], [(4.6, 4.6, 4.9, 4.9)]])
def test_no_whole_side_is_a_zero_on_the_graph(boxes: Boxes) -> None:
    batch = box_batch([boxes], [(1,) * len(boxes)])
    p = torch.rand(1, 4, 6, 8, requires_grad=True)
    loss = projection_loss(p, BoxGrid.of(batch, (6, 8)), batch.valid)
    assert float(loss.detach()) == 0
    assert loss.requires_grad


def loop_pairs(logits: Tensor, rgb: Tensor, valid: Tensor, where: Tensor) -> list[float]:
    """On a grid of the image's own size."""
    found = []
    images, _, height, width = rgb.shape
    lab = np.stack([rgb2lab(image.permute(1, 2, 0).double().numpy()) for image in rgb])
    p = logits.softmax(dim=1)
    cells = [(y, x) for y in range(height) for x in range(width)]
    for n in range(images):
        for a, one in enumerate(cells):
            for other in cells[a + 1 :]:
                step = (abs(other[0] - one[0]), abs(other[1] - one[1]))
                if step not in ((0, DILATION), (DILATION, 0), (DILATION, DILATION)):
                    continue
                if not (valid[n][one] and valid[n][other] and (where[n][one] or where[n][other])):
                    continue
                if math.exp(-np.linalg.norm(lab[n][one] - lab[n][other]) / 2) >= SIMILAR:
                    agreed = float((p[n, :, one[0], one[1]] * p[n, :, other[0], other[1]]).sum())
                    found.append(-math.log(agreed))
    return found


def calm_scene() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Colours that differ little, so that about half of the pairs are of one colour."""
    draw = torch.Generator().manual_seed(3)
    rgb = 0.4 + 0.03 * torch.rand(2, 3, 7, 9, generator=draw)
    valid = torch.ones(2, 7, 9, dtype=torch.bool)
    valid[0, :, 7:] = False
    where = torch.rand(2, 7, 9, generator=draw) < 0.4
    return torch.randn(2, 4, 7, 9, generator=draw).double().requires_grad_(), rgb, valid, where


def test_pairs_equal_a_loop() -> None:
    logits, rgb, valid, where = calm_scene()
    wanted = loop_pairs(logits.detach(), rgb, valid, where)
    assert 40 < len(wanted) < 0.8 * len(loop_pairs(logits.detach(), torch.full_like(rgb, 0.4), valid, where))
    assert float(same_label_loss(logits, rgb, valid, where).detach()) == pytest.approx(
        sum(wanted) / len(wanted), rel=1e-6
    )


def test_pair_gradient_equals_differences() -> None:
    logits, rgb, valid, where = calm_scene()
    assert torch.autograd.gradcheck(lambda held: same_label_loss(held, rgb, valid, where), (logits,))


def test_lab_is_that_of_scikit_image() -> None:
    rgb = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    rgb[0, :, 0, :4] = torch.tensor([[0.0, 1, 0.02, 0], [0.0, 1, 0.01, 0], [0.0, 1, 0.03, 1]])
    wanted = rgb2lab(rgb[0].permute(1, 2, 0).double().numpy())
    assert np.abs(to_lab(rgb)[0].permute(1, 2, 0).numpy() - wanted).max() < 0.02


def test_no_pair_is_a_zero_on_the_graph() -> None:
    logits, rgb, valid, where = calm_scene()
    loss = same_label_loss(logits, rgb, valid, torch.zeros_like(where))
    assert float(loss.detach()) == 0
    assert loss.requires_grad


@settings(deadline=None, max_examples=25)
@given(st.tuples(*[st.integers(0, 3)] * 4))
def test_padding_changes_neither_loss(around: tuple[int, int, int, int]) -> None:
    """Cells of padding on any side, with any logits there."""
    logits = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(1))
    pixels = [4 * side for side in around]
    shift = torch.tensor([pixels[0], pixels[2]] * 2)
    wide = replace(
        TWO,
        rgb=F.pad(TWO.rgb, pixels),
        valid=F.pad(TWO.valid, pixels),
        candidates=F.pad(TWO.candidates, pixels),
        boxes=tuple(boxes + shift for boxes in TWO.boxes),
    )
    values = []
    for batch, held in ((TWO, logits), (wide, F.pad(logits, list(around), value=5.0))):
        grid = BoxGrid.of(batch, (held.shape[2], held.shape[3]))
        inside = Unlabelled.of(grid, batch, batch.seeds())
        # A box that the image's border cut may be whole on a wider canvas: that the photograph shows it is not known.
        grid = replace(grid, whole=BoxGrid.of(TWO, (6, 8)).whole)
        values.append(
            torch.stack(
                [
                    projection_loss(held.softmax(1), grid, batch.valid),
                    same_label_loss(held, batch.rgb, batch.valid, inside.where),
                ]
            )
        )
    torch.testing.assert_close(values[0], values[1], rtol=1e-5, atol=1e-6)
    assert bool((values[0] > 0).all())
