"""The dense energy against sums over all pairs of pixels, with the affinities that the lattice stands for."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.bilateral.coordinates import image_features
from underpaint.kernels.bilateral.energy import dense_energy
from underpaint.kernels.bilateral.lattice_torch import TorchLattice

SIGMAS: dict[str, Any] = {"sigma_xy": 6.0, "sigma_rgb": 0.3}


def photo_like(height: int, width: int, seed: int = 0) -> Tensor:
    """A smooth random image (1, 3, H, W) in [0, 1]."""
    coarse = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)


def soft(classes: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    return torch.randn(1, classes, height, width, generator=draw, dtype=torch.float64).mul(2).softmax(1).to(dtype)


def affinity_of(rgb: Tensor) -> Tensor:
    """The matrix A that the lattice of an image stands for: its filter of the unit vectors, in double precision."""
    size = rgb.shape[-2] * rgb.shape[-1]
    lattice = TorchLattice.build(image_features(rgb[0].double(), **SIGMAS))
    return lattice.filter(torch.eye(size, dtype=torch.float64)).T


def test_dense_energy_equals_its_sum() -> None:
    rgb, p = photo_like(6, 7).double(), soft(3, 6, 7, torch.float64)
    gate = torch.rand(1, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    affinity, flat = affinity_of(rgb), p[0].flatten(1)
    pairs = itertools.product(range(42), range(42))
    expected = -sum(gate.flatten()[i] * affinity[i, j] * (flat[:, i] @ flat[:, j]) for i, j in pairs)
    energy = dense_energy(p, rgb, **SIGMAS, gate=gate)
    torch.testing.assert_close(energy, expected)
    single = dense_energy(p.float(), rgb.float(), **SIGMAS, gate=gate)
    assert single.item() == pytest.approx(energy.item(), rel=1e-4)


def test_dense_energy_gradients() -> None:
    rgb, p = photo_like(4, 5).double(), soft(2, 4, 5, torch.float64).requires_grad_()
    gate = torch.rand(1, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for g in (gate, None):
        assert torch.autograd.gradcheck(lambda q, g=g: dense_energy(q, rgb, **SIGMAS, gate=g, gradient="exact"), p)
    (reference,) = torch.autograd.grad(3 * dense_energy(p, rgb, **SIGMAS, gate=gate), p)
    filtered = (p.detach().flatten(2) @ affinity_of(rgb).T).view_as(p)
    torch.testing.assert_close(reference, -6 * gate * filtered)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_exact_gradient_is_both_directions_at_once(dtype: torch.dtype) -> None:
    """``-(A + A') P`` and ``-P' A P``; the compiled lattice computes them in one pass."""
    rgb, p = photo_like(9, 11).to(dtype), soft(3, 9, 11, dtype).requires_grad_()
    affinity, flat = affinity_of(rgb), p.detach().double().flatten(2)
    energy = dense_energy(p, rgb, **SIGMAS, gradient="exact")
    (gradient,) = torch.autograd.grad(2 * energy, p)
    expected = -2 * (flat @ (affinity + affinity.T)).view_as(p)
    torch.testing.assert_close(gradient, expected.to(dtype), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(energy, -((flat @ affinity.T) * flat).sum().to(dtype), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(affinity, affinity.T, rtol=1e-3)  # otherwise this could not tell the directions apart


@pytest.mark.parametrize("gradient", ["exact", "reference"])
@pytest.mark.parametrize("gated", [False, True])
def test_a_batch_is_the_sum_over_its_images(gradient: Any, gated: bool) -> None:
    """The compiled lattice and the one in torch agree, for the value and the gradient of every image."""
    rgb = torch.cat([photo_like(13, 17, seed) for seed in range(3)])
    draw = torch.Generator().manual_seed(3)
    p = torch.rand(3, 4, 13, 17, generator=draw)
    gate = torch.rand(3, 13, 17, generator=draw) if gated else None
    valid = torch.rand(3, 13, 17, generator=draw) > 0.2
    batch = p.clone().requires_grad_()
    energy = dense_energy(batch, rgb, **SIGMAS, gate=gate, valid=valid, gradient=gradient)
    (slope,) = torch.autograd.grad(energy, batch)
    total = 0.0
    for n in range(3):
        one = p[n : n + 1].double().requires_grad_()
        weights = None if gate is None else gate[n : n + 1].double()
        value = dense_energy(
            one, rgb[n : n + 1].double(), **SIGMAS, gate=weights, valid=valid[n : n + 1], gradient=gradient
        )
        torch.testing.assert_close(slope[n : n + 1].double(), torch.autograd.grad(value, one)[0], rtol=1e-4, atol=1e-4)
        total += value.item()
    assert energy.item() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pixels_that_are_not_valid_do_not_exist(dtype: torch.dtype) -> None:
    """As if their probabilities were zero, which pixels without probability are by `test_zeroed_pixels...`."""
    rgb, p = photo_like(6, 7).to(dtype), soft(3, 6, 7, dtype).requires_grad_()
    valid = torch.rand(1, 6, 7, generator=torch.Generator().manual_seed(8)) > 0.3
    energy = dense_energy(p, rgb, **SIGMAS, valid=valid, gradient="exact")
    zeroed = dense_energy(p * valid, rgb, **SIGMAS, gradient="exact")
    torch.testing.assert_close(energy, zeroed, rtol=1e-6, atol=0)
    gradients = [torch.autograd.grad(value, p)[0] for value in (energy, zeroed)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)
    with pytest.raises(DataError, match="valid has shape"):
        dense_energy(p, rgb, **SIGMAS, valid=valid.to(dtype))


def padded(rgb: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
    """The same image with a random border that has no probabilities."""
    wide, zeros = torch.rand(1, 3, 12, 15, dtype=rgb.dtype), torch.zeros(1, p.shape[1], 12, 15, dtype=p.dtype)
    wide[:, :, :6, :7], zeros[:, :, :6, :7] = rgb, p
    return wide, zeros


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zeroed_pixels_contribute_nothing(dtype: torch.dtype) -> None:
    rgb, p = photo_like(6, 7).to(dtype), soft(3, 6, 7, dtype)
    wide, zeros = padded(rgb, p)
    zeros.requires_grad_()
    value = dense_energy(zeros, wide, **SIGMAS)
    torch.testing.assert_close(value, dense_energy(p, rgb, **SIGMAS), rtol=1e-5, atol=1e-5)
    (gradient,) = torch.autograd.grad(value, zeros)
    assert gradient[..., 6:, :].abs().max() == 0
    assert gradient[..., 7:].abs().max() == 0
    assert dense_energy(torch.zeros_like(p), rgb, **SIGMAS).item() == 0


def test_half_precision_and_layouts() -> None:
    rgb, p = photo_like(6, 7), soft(3, 6, 7)
    half = p.half().requires_grad_()
    energy = dense_energy(half, rgb, **SIGMAS)
    assert energy.dtype == torch.float32
    assert energy.item() == dense_energy(p.half().float(), rgb, **SIGMAS).item()
    assert torch.autograd.grad(energy, half)[0].dtype == torch.float16
    last = p.to(memory_format=torch.channels_last), rgb.to(memory_format=torch.channels_last)
    assert torch.equal(dense_energy(*last, **SIGMAS), dense_energy(p, rgb, **SIGMAS))


def test_errors() -> None:
    rgb, p = photo_like(6, 7), soft(3, 6, 7)
    with pytest.raises(DataError, match="rgb has shape"):
        dense_energy(p, rgb[..., :5], **SIGMAS)
    with pytest.raises(DataError, match="the probabilities have shape"):
        dense_energy(p[0], rgb, **SIGMAS)
    with pytest.raises(ConfigError, match="sigma_rgb is 0"):
        dense_energy(p, rgb, sigma_xy=1, sigma_rgb=0)
    with pytest.raises(DataError, match="not finite"):
        dense_energy(p, rgb * torch.nan, **SIGMAS)
    with pytest.raises(ConfigError, match="2\\^62"):
        dense_energy(p, rgb, sigma_xy=1e-4, sigma_rgb=1e-5)
    with pytest.raises(ConfigError, match="gradient is 'exakt'"):
        dense_energy(p, rgb, **SIGMAS, gradient="exakt")  # type: ignore[arg-type]  # the error under test
    with pytest.raises(DataError, match="gate has shape"):
        dense_energy(p, rgb, **SIGMAS, gate=torch.ones(1, 7, 6))
