"""The gated CRF loss against a loop over all pairs of cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.kernels.windowed import GaussianKernel
from underpaint.losses.gated_crf import gated_crf_loss
from underpaint.losses.grid import shrink_image

KERNELS = (GaussianKernel(1.0, 6.0, 0.1), GaussianKernel(0.5, 2.0, None))
RADIUS = 2


def scene(h: int = 5, w: int = 6, stride: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (2, 3, h, w), colours and the valid mask at ``stride`` times that size, with padding in one corner."""
    draw = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 3, h, w, generator=draw).mul(2).requires_grad_()
    # Colours close enough for the narrow colour kernel to see them.
    rgb = 0.5 + 0.1 * torch.rand(2, 3, h * stride, w * stride, generator=draw)
    valid = torch.ones(2, h * stride, w * stride, dtype=torch.bool)
    valid[0, :, -5:] = False  # one cell and a quarter: the cut cell closes as well
    valid[1, :4] = False
    return logits, rgb * valid[:, None], valid


def shrunk(rgb: Tensor, valid: Tensor, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean colour of each block, and whether the block has no padding."""
    n, _, height, width = rgb.shape
    colours = np.zeros((n, 3, height // stride, width // stride))
    gates = np.zeros((n, height // stride, width // stride), bool)
    for i, y, x in np.ndindex(*gates.shape):
        block = (slice(y * stride, (y + 1) * stride), slice(x * stride, (x + 1) * stride))
        colours[i, :, y, x] = rgb[i, :, block[0], block[1]].double().mean(dim=(1, 2)).numpy()
        gates[i, y, x] = bool(valid[i, block[0], block[1]].all())
    return colours, gates


def brute(probabilities: Tensor, rgb: Tensor, valid: Tensor, stride: int = 4) -> float:
    colours, gates = shrunk(rgb, valid, stride)
    y = probabilities.detach().double().numpy()
    total = 0.0
    for n, r, c in np.ndindex(*gates.shape):
        for r2 in range(r - RADIUS, r + RADIUS + 1):
            for c2 in range(c - RADIUS, c + RADIUS + 1):
                inside = 0 <= r2 < gates.shape[1] and 0 <= c2 < gates.shape[2]
                if not inside or (r, c) == (r2, c2) or not (gates[n, r, c] and gates[n, r2, c2]):
                    continue
                place = (r - r2) ** 2 + (c - c2) ** 2
                colour = ((colours[n, :, r, c] - colours[n, :, r2, c2]) ** 2).sum().item()
                affinity = math.exp(-place / 72 - colour / 0.02) + 0.5 * math.exp(-place / 8)
                total += affinity * (1 - (y[n, :, r, c] * y[n, :, r2, c2]).sum().item())
    return total / max(int(gates.sum()), 1)


def loss_of(probabilities: Tensor, rgb: Tensor, valid: Tensor) -> Tensor:
    return gated_crf_loss(probabilities, rgb, valid, kernels=KERNELS, radius=RADIUS)


def test_value_equals_the_sum_over_all_pairs() -> None:
    logits, rgb, valid = scene()
    assert loss_of(logits.softmax(1), rgb, valid).item() == pytest.approx(
        brute(logits.softmax(1), rgb, valid), rel=1e-5
    )


def test_gradient_equals_differences_of_the_sum() -> None:
    logits, rgb, valid = scene()
    (slope,) = torch.autograd.grad(loss_of(logits.softmax(1), rgb, valid), logits)
    moved = torch.randn(logits.shape, generator=torch.Generator().manual_seed(4)).double()
    ahead, behind = (brute((logits.double() + s * 1e-4 * moved).softmax(1), rgb, valid) for s in (1, -1))
    assert (slope * moved).sum().item() == pytest.approx((ahead - behind) / 2e-4, rel=1e-3)


def test_gates_close_on_every_cell_that_padding_touches() -> None:
    _, rgb, valid = scene()
    small, gate = shrink_image(rgb, valid, (5, 6))
    colours, gates = shrunk(rgb, valid, 4)
    assert np.array_equal(gate.numpy(), gates)
    assert gates.sum() == 60 - 10 - 6
    assert np.abs(small.double().numpy() - colours)[np.broadcast_to(gates[:, None], colours.shape)].max() < 1e-6


def test_a_sure_and_constant_prediction_costs_nothing() -> None:
    _, rgb, valid = scene()
    sure = torch.zeros(2, 3, 5, 6)
    sure[0, 1] = sure[1, 2] = 1
    assert loss_of(sure, rgb, valid).item() == 0
    assert loss_of(torch.full((2, 3, 5, 6), 1 / 3), rgb, valid).item() > 0


def test_divided_by_open_gates_and_not_by_images() -> None:
    logits, rgb, valid = scene()
    once, twice = (
        loss_of(logits.repeat(k, 1, 1, 1).softmax(1), rgb.repeat(k, 1, 1, 1), valid.repeat(k, 1, 1)) for k in (1, 2)
    )
    assert twice.item() == pytest.approx(once.item(), rel=1e-5)


def test_nothing_valid_is_a_zero_on_the_graph() -> None:
    logits, rgb, valid = scene()
    loss = loss_of(logits.softmax(1), rgb, torch.zeros_like(valid))
    assert loss.item() == 0
    (slope,) = torch.autograd.grad(loss, logits)
    assert torch.equal(slope, torch.zeros_like(slope))


@pytest.mark.parametrize("around", [(0, 4, 0, 4), (4, 4, 4, 4)])
def test_padding_changes_nothing(around: tuple[int, int, int, int]) -> None:
    logits, rgb, valid = scene()
    pixels = tuple(4 * side for side in around)
    loss = loss_of(logits.softmax(1), rgb, valid)
    wild = F.pad(logits, around, value=7.0)
    other = loss_of(wild.softmax(1), F.pad(rgb, pixels), F.pad(valid, pixels))
    torch.testing.assert_close(other, loss, rtol=1e-6, atol=0)
    slopes = [torch.autograd.grad(value, logits)[0] for value in (other, loss)]
    torch.testing.assert_close(*slopes, rtol=1e-5, atol=1e-8)


def test_an_image_of_the_wanted_size_stays_as_it_is() -> None:
    _, rgb, valid = scene()
    valid[0, 2, 3] = False
    small, gate = shrink_image(rgb, valid, (rgb.shape[2], rgb.shape[3]))
    assert torch.equal(small, rgb)
    assert torch.equal(gate, valid)


def test_sizes_that_do_not_divide() -> None:
    """Cells that share pixels still have the mean colour of what they touch, and close where padding touches."""
    rgb = torch.rand(1, 3, 10, 7, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(1, 10, 7, dtype=torch.bool)
    valid[0, 9] = False
    small, gate = shrink_image(rgb, valid, (4, 3))
    for y, x in np.ndindex(4, 3):
        rows = slice(math.floor(y * 10 / 4), math.ceil((y + 1) * 10 / 4))
        columns = slice(math.floor(x * 7 / 3), math.ceil((x + 1) * 7 / 3))
        torch.testing.assert_close(small[0, :, y, x], rgb[0, :, rows, columns].mean(dim=(1, 2)))
        assert bool(gate[0, y, x]) == (y < 3)
