"""The dense CRF loss: sign, scale, order and padding. The lattice under it has its own tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.kernels.bilateral.energy import dense_energy
from underpaint.losses.grid import shrink_image
from underpaint.methods.dense_crf.method import dense_crf_loss

SIGMAS = {"sigma_xy": 4.0, "sigma_rgb": 0.15}


def scene(h: int = 8, w: int = 10) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, an image of two smooth halves, all valid; the image has 4 pixels a cell."""
    draw = torch.Generator().manual_seed(6)
    logits = torch.randn(2, 3, h, w, generator=draw).requires_grad_()
    rgb = torch.full((2, 3, 4 * h, 4 * w), 0.2)
    rgb[..., 2 * w :] = 0.8
    rgb += 0.02 * torch.rand(rgb.shape, generator=draw)
    return logits, rgb, torch.ones(2, 4 * h, 4 * w, dtype=torch.bool)


def halves(rgb: Tensor, valid: Tensor) -> Tensor:
    """One class a side, exactly along the edge of the image."""
    small, _ = shrink_image(rgb, valid, (rgb.shape[2] // 4, rgb.shape[3] // 4))
    right = (small.mean(dim=1) > 0.5).float()
    return torch.stack([1 - right, right, torch.zeros_like(right)], dim=1)


def test_value_is_minus_the_mean_agreement() -> None:
    """``-(1/P) sum_k S_k' W S_k`` with the exact W, up to the scale of the lattice."""
    logits, rgb, valid = scene()
    valid[0, :, :6] = False
    s = logits.softmax(1).detach()
    small, inside = shrink_image(rgb, valid, (8, 10))
    assert int(inside.sum()) == 160 - 16
    total = 0.0
    for n in range(2):
        affinity = exact_affinity(small[n]) * np.outer(inside[n].flatten(), inside[n].flatten())
        planes = s[n].flatten(1).double().numpy()
        total += sum(plane @ affinity @ plane for plane in planes).item()
    exact = -total / int(inside.sum())
    loss = dense_crf_loss(s, rgb, valid, **SIGMAS).item()
    assert loss < 0
    assert 0.35 < loss / exact < 0.65, "the lattice gives about half of the exact sum"


def exact_affinity(rgb: Tensor) -> np.ndarray:
    rows, columns = np.mgrid[: rgb.shape[1], : rgb.shape[2]]
    place = np.stack([rows.ravel(), columns.ravel()], axis=1) / SIGMAS["sigma_xy"]
    colour = rgb.flatten(1).T.double().numpy() / SIGMAS["sigma_rgb"]
    features = np.concatenate([place, colour], axis=1)
    affinity: np.ndarray = np.exp(-((features[:, None] - features[None]) ** 2).sum(axis=2) / 2)
    return affinity


def test_agreement_with_the_image_costs_least() -> None:
    logits, rgb, valid = scene()
    along = dense_crf_loss(halves(rgb, valid), rgb, valid, **SIGMAS).item()
    shifted = dense_crf_loss(halves(rgb, valid).roll(2, dims=3), rgb, valid, **SIGMAS).item()
    noise = dense_crf_loss(logits.softmax(1), rgb, valid, **SIGMAS).item()
    assert along < shifted < noise < 0


def test_it_decreases_along_its_gradient() -> None:
    logits, rgb, valid = scene()
    held = logits.detach()
    values = []
    for _ in range(6):
        held = held.requires_grad_()
        loss = dense_crf_loss(held.softmax(1), rgb, valid, **SIGMAS)
        values.append(loss.item())
        (slope,) = torch.autograd.grad(loss, held)
        held = (held - 20 * slope).detach()
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0]


def test_gradient_is_that_of_the_value() -> None:
    """The energy is quadratic, so central differences are exact up to rounding."""
    logits, rgb, valid = scene()
    p = logits.softmax(1).detach().requires_grad_()
    (slope,) = torch.autograd.grad(dense_crf_loss(p, rgb, valid, **SIGMAS), p)
    moved = torch.rand(p.shape, generator=torch.Generator().manual_seed(1))
    ahead, behind = (dense_crf_loss((p + s * 0.1 * moved).detach(), rgb, valid, **SIGMAS).item() for s in (1, -1))
    assert (slope * moved).sum().item() == pytest.approx((ahead - behind) / 0.2, rel=1e-3)


def test_divided_by_pixels_and_not_by_images() -> None:
    logits, rgb, valid = scene()
    s = logits.softmax(1)
    once = dense_crf_loss(s, rgb, valid, **SIGMAS)
    thrice = dense_crf_loss(s.repeat(3, 1, 1, 1), rgb.repeat(3, 1, 1, 1), valid.repeat(3, 1, 1), **SIGMAS)
    assert thrice.item() == pytest.approx(once.item(), rel=1e-5)


def test_nothing_valid_is_a_zero_on_the_graph() -> None:
    logits, rgb, valid = scene()
    loss = dense_crf_loss(logits.softmax(1), rgb, torch.zeros_like(valid), **SIGMAS)
    assert loss.item() == 0
    (slope,) = torch.autograd.grad(loss, logits)
    assert torch.equal(slope, torch.zeros_like(slope))


def test_padding_changes_nothing() -> None:
    """On the right and below, where it moves no pixel's position."""
    logits, rgb, valid = scene()
    valid[1, -5:] = False
    loss = dense_crf_loss(logits.softmax(1), rgb, valid, **SIGMAS)
    wild = F.pad(logits, (0, 4, 0, 4), value=9.0)
    other = dense_crf_loss(wild.softmax(1), F.pad(rgb, (0, 16, 0, 16)), F.pad(valid, (0, 16, 0, 16)), **SIGMAS)
    torch.testing.assert_close(other, loss, rtol=1e-5, atol=0)
    slopes = [torch.autograd.grad(value, logits)[0] for value in (other, loss)]
    torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-8)


def test_padding_on_the_left_moves_the_lattice_only() -> None:
    """The lattice is not quite the same at another offset: its error, some per cent, is all that changes."""
    logits, rgb, valid = scene()
    loss = dense_crf_loss(logits.softmax(1), rgb, valid, **SIGMAS).item()
    around = (16, 0, 16, 0)
    moved = F.pad(logits, (4, 0, 4, 0), value=9.0)
    other = dense_crf_loss(moved.softmax(1), F.pad(rgb, around), F.pad(valid, around), **SIGMAS).item()
    assert other == pytest.approx(loss, rel=0.1)


def test_ones_give_the_size_of_a_neighbourhood() -> None:
    """One sure class everywhere on a flat image: minus the mean number of neighbours under the Gaussian."""
    rgb, valid = torch.full((1, 3, 64, 64), 0.5), torch.ones(1, 64, 64, dtype=torch.bool)
    ones = torch.ones(1, 1, 16, 16)
    loss = dense_crf_loss(ones, rgb, valid, **SIGMAS).item()
    row = [sum(math.exp(-((i - j) ** 2) / (2 * SIGMAS["sigma_xy"] ** 2)) for j in range(16)) for i in range(16)]
    assert 0.35 < -loss / (sum(row) / 16) ** 2 < 0.65
    energy = dense_energy(ones, torch.full((1, 3, 16, 16), 0.5), sigma_xy=4.0, sigma_rgb=0.15)
    assert loss == pytest.approx(energy.item() / 256, rel=1e-4)
