"""The permutohedral lattice against a dictionary of vertices, and through its filters against the exact kernel."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.lattice import Lattice, bilateral_filter, dense_energy, normalised_cut
from underpaint.kernels.permutohedral_tiles import RUN, Tiles
from underpaint.kernels.permutohedral_torch import TorchLattice

SIGMAS: dict[str, Any] = {"sigma_xy": 6.0, "sigma_rgb": 0.3}


def points(count: int, dims: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 2, (count, dims)).astype(np.float32)


def plain_filter(features: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Adams, Baek and Davis 2010 step by step, in double precision, with a dictionary for the vertices."""
    dims = features.shape[1]
    corners: list[list[tuple[tuple[int, ...], float]]] = []
    for f in features.astype(float):
        scaled = [f[j] * math.sqrt(2 / 3) * (dims + 1) / math.sqrt((j + 1) * (j + 2)) for j in range(dims)]
        elevated = [sum(scaled)] + [sum(scaled[j:]) - j * scaled[j - 1] for j in range(1, dims + 1)]
        nearest = [(dims + 1) * math.floor(e / (dims + 1) + 0.5) for e in elevated]
        residual = [e - r for e, r in zip(elevated, nearest, strict=True)]
        order = sorted(range(dims + 1), key=lambda i: (-residual[i], i))
        rank = [order.index(i) + sum(nearest) // (dims + 1) for i in range(dims + 1)]
        for i in range(dims + 1):
            turn = (dims + 1) * ((rank[i] < 0) - (rank[i] > dims))
            rank[i], nearest[i] = rank[i] + turn, nearest[i] + turn
        weight = [0.0] * (dims + 2)
        for i in range(dims + 1):
            share = (elevated[i] - nearest[i]) / (dims + 1)
            weight[dims - rank[i]] += share
            weight[dims - rank[i] + 1] -= share
        weight[0] += 1 + weight[dims + 1]
        corners.append(
            [
                (
                    tuple(r + (m if k <= dims - m else m - dims - 1) for r, k in zip(nearest, rank, strict=True)),
                    weight[m],
                )
                for m in range(dims + 1)
            ]
        )
    vertices: dict[tuple[int, ...], NDArray[np.float64]] = {}
    for own, value in zip(corners, values, strict=True):
        for key, share in own:
            vertices[key] = vertices.get(key, np.zeros(values.shape[1])) + share * value
    nothing = np.zeros(values.shape[1])
    for axis in range(dims + 1):
        blurred = {}
        for key, value in vertices.items():
            up = tuple(k + dims if i == axis else k - 1 for i, k in enumerate(key))
            down = tuple(k - dims if i == axis else k + 1 for i, k in enumerate(key))
            blurred[key] = value + (vertices.get(up, nothing) + vertices.get(down, nothing)) / 2
        vertices = blurred
    sliced = [sum((share * vertices[key] for key, share in own), nothing) for own in corners]
    return np.asarray(np.array(sliced) / (1 + 2.0**-dims), dtype=np.float64)


def photo_like(height: int, width: int, seed: int = 0) -> Tensor:
    """A smooth random image (1, 3, H, W) in [0, 1]."""
    coarse = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)


def soft(classes: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    return torch.randn(1, classes, height, width, generator=draw, dtype=torch.float64).mul(2).softmax(1).to(dtype)


def exact_affinity(rgb: Tensor, sigma_xy: float, sigma_rgb: float) -> Tensor:
    _, _, height, width = rgb.shape
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    features = torch.cat([torch.stack([column, row]).flatten(1) / sigma_xy, rgb[0].flatten(1) / sigma_rgb]).T.double()
    return torch.exp(-0.5 * torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist") ** 2)


def affinity_of(rgb: Tensor) -> Tensor:
    """The matrix that the lattice stands for: its filter of the unit vectors, in double precision."""
    size = rgb.shape[-2] * rgb.shape[-1]
    units = torch.eye(size, dtype=torch.float64).reshape(1, size, *rgb.shape[-2:])
    return bilateral_filter(units, rgb, **SIGMAS).reshape(size, size).T


@pytest.mark.parametrize(("count", "dims"), [(1, 5), (80, 5), (80, 2), (60, 1), (60, 3), (60, 4)])
def test_both_lattices_equal_the_plain_one(count: int, dims: int) -> None:
    features, values = points(count, dims), points(count, 3, seed=1)
    expected = plain_filter(features, values)
    np.testing.assert_allclose(Lattice.build(features).filter(values), expected, rtol=1e-4, atol=1e-5)
    lattice = TorchLattice.from_planes(torch.from_numpy(features.T.copy()))
    np.testing.assert_allclose(lattice.filter_planes(torch.from_numpy(values.T)).T, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 8, 21, 32, 41])
def test_back_ends_agree_over_several_tiles(channels: int) -> None:
    """Without an image a tile has 2048 points; the hash table of a tile grows beyond 2048 vertices."""
    features, values = points(20000, 5), points(20000, channels, seed=1)
    active = np.random.default_rng(2).random(20000) < 0.7
    compiled = Lattice.build(features, active=active)
    plain = TorchLattice.from_planes(torch.from_numpy(features.T.copy()), torch.from_numpy(active))
    assert compiled.vertices == plain.neighbours.shape[1] - 1
    for transpose in (False, True):
        filtered = compiled.filter(values, transpose=transpose)
        expected = plain.filter_planes(torch.from_numpy(values.T), transpose=transpose).T.numpy()
        np.testing.assert_allclose(filtered, expected, rtol=1e-4, atol=1e-4)
        assert np.abs(filtered[~active]).max() == 0


@pytest.mark.parametrize("dims", [2, 5])
def test_transpose_is_the_adjoint(dims: int) -> None:
    lattice = Lattice.build(points(500, dims))
    a, b = points(500, 2, seed=1), points(500, 2, seed=2)
    forth, back = (b * lattice.filter(a)).sum(), (lattice.filter(b, transpose=True) * a).sum()
    assert forth == pytest.approx(back, rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 40), dims=st.integers(1, 5), seed=st.integers(0, 1000))
def test_weights_are_barycentric(count: int, dims: int, seed: int) -> None:
    lattice = Lattice.build(points(count, dims, seed))
    np.testing.assert_allclose(lattice.weights.sum(axis=1), 1, atol=1e-5)
    assert lattice.weights.min() > -1e-5


def test_threads_do_not_change_the_result() -> None:
    features, values = points(20000, 5), points(20000, 4, seed=1)
    found, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(Lattice.build(features).filter(values))
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(found[0], found[1])


@pytest.mark.parametrize(("sigma_xy", "sigma_rgb"), [(6.0, 0.3), (12.0, 0.15)])
def test_normalised_filter_is_near_the_exact_average(sigma_xy: float, sigma_rgb: float) -> None:
    rgb, values = photo_like(40, 48), soft(3, 40, 48)
    affinity = exact_affinity(rgb, sigma_xy, sigma_rgb)
    expected = (affinity @ values[0].flatten(1).T.double() / affinity.sum(1, keepdim=True)).T.reshape(1, 3, 40, 48)
    filtered = bilateral_filter(values, rgb, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb, normalise=True)
    assert (filtered - expected).abs().mean() < 0.005
    raw = bilateral_filter(torch.ones(1, 1, 40, 48), rgb, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb)
    assert 0.35 < (raw.flatten() / affinity.sum(1)).mean() < 0.7


def test_normalised_filter_of_ones_is_one() -> None:
    ones = torch.ones(2, 2, 9, 7)
    filtered = bilateral_filter(ones, torch.rand(2, 3, 9, 7), **SIGMAS, normalise=True)
    torch.testing.assert_close(filtered, ones)


@pytest.mark.parametrize("normalise", [False, True])
def test_bilateral_gradient(normalise: bool) -> None:
    rgb, values = photo_like(4, 5).double(), soft(2, 4, 5, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: bilateral_filter(v, rgb, **SIGMAS, normalise=normalise), values)


def test_single_precision_gradient_equals_the_double_one() -> None:
    rgb, values = photo_like(20, 31), soft(3, 20, 31)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        v = values.to(dtype).requires_grad_()
        filtered = bilateral_filter(v, rgb.to(dtype), **SIGMAS, normalise=True)
        gradients.append(torch.autograd.grad((filtered**2).sum(), v)[0].float())
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


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
    expected = -6 * gate * bilateral_filter(p.detach(), rgb, **SIGMAS)
    torch.testing.assert_close(reference, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_exact_gradient_is_both_directions_at_once(dtype: torch.dtype) -> None:
    """``-(A + A') P`` and ``-P' A P`` from a filter and a filter back; the compiled lattice makes them in one pass."""
    rgb, p = photo_like(9, 11).to(dtype), soft(3, 9, 11, dtype).requires_grad_()
    forth = bilateral_filter(p, rgb, **SIGMAS)
    (back,) = torch.autograd.grad(forth, p, p.detach())
    energy = dense_energy(p, rgb, **SIGMAS, gradient="exact")
    (gradient,) = torch.autograd.grad(2 * energy, p)
    torch.testing.assert_close(gradient, -2 * (forth + back).detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(energy, -(p * forth).sum(), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(forth, back, rtol=1e-3)  # else this would not tell the two directions apart


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
    with pytest.raises(DataError, match="valid is"):
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
    for energy in (dense_energy, normalised_cut):
        value = energy(zeros, wide, **SIGMAS)
        torch.testing.assert_close(value, energy(p, rgb, **SIGMAS), rtol=1e-5, atol=1e-5)
        (gradient,) = torch.autograd.grad(value, zeros)
        assert gradient[..., 6:, :].abs().max() == 0
        assert gradient[..., 7:].abs().max() == 0
    assert dense_energy(torch.zeros_like(p), rgb, **SIGMAS).item() == 0
    assert normalised_cut(torch.zeros_like(p), rgb, **SIGMAS).item() == 0


def test_normalised_cut_equals_its_definition() -> None:
    rgb, p = photo_like(6, 7).double(), soft(3, 6, 7, torch.float64)
    affinity, flat = affinity_of(rgb), p[0].flatten(1)
    degree = affinity.sum(1)
    expected = sum((s @ affinity @ (1 - s)) / (degree @ s) for s in flat)
    torch.testing.assert_close(normalised_cut(p, rgb, **SIGMAS), torch.as_tensor(expected), rtol=0.02, atol=0)
    symmetric = sum(1 - (s @ affinity @ s) / (degree @ s) for s in flat)
    torch.testing.assert_close(normalised_cut(p, rgb, **SIGMAS), torch.as_tensor(symmetric))
    assert torch.autograd.gradcheck(
        lambda q: normalised_cut(q, photo_like(3, 4).double(), **SIGMAS), soft(2, 3, 4, torch.float64).requires_grad_()
    )


def test_normalised_cut_ignores_an_absent_class() -> None:
    rgb, p = photo_like(6, 7), soft(2, 6, 7)
    more = torch.cat([p, torch.zeros(1, 1, 6, 7)], dim=1).requires_grad_()
    value = normalised_cut(more, rgb, **SIGMAS)
    torch.testing.assert_close(value, normalised_cut(p, rgb, **SIGMAS))
    assert torch.autograd.grad(value, more)[0].isfinite().all()


def test_half_precision_and_layouts() -> None:
    rgb, p = photo_like(6, 7), soft(3, 6, 7)
    half = p.half().requires_grad_()
    energy = dense_energy(half, rgb, **SIGMAS)
    assert energy.dtype == torch.float32
    assert energy.item() == dense_energy(p.half().float(), rgb, **SIGMAS).item()
    assert torch.autograd.grad(energy, half)[0].dtype == torch.float16
    last = p.to(memory_format=torch.channels_last), rgb.to(memory_format=torch.channels_last)
    assert torch.equal(bilateral_filter(*last, **SIGMAS), bilateral_filter(p, rgb, **SIGMAS))
    assert bilateral_filter(half, rgb, **SIGMAS).dtype == torch.float16


def test_errors() -> None:
    rgb, p = photo_like(6, 7), soft(3, 6, 7)
    with pytest.raises(DataError, match="rgb is"):
        bilateral_filter(p, rgb[..., :5], **SIGMAS)
    with pytest.raises(ConfigError, match="sigma_rgb is 0"):
        bilateral_filter(p, rgb, sigma_xy=1, sigma_rgb=0)
    with pytest.raises(DataError, match="not finite"):
        bilateral_filter(p, rgb * torch.nan, **SIGMAS)
    with pytest.raises(ConfigError, match="2\\^62"):
        bilateral_filter(p, rgb, sigma_xy=1e-4, sigma_rgb=1e-5)
    with pytest.raises(ConfigError, match="gradient is 'exakt'"):
        dense_energy(p, rgb, **SIGMAS, gradient="exakt")  # type: ignore[arg-type]  # the error under test
    with pytest.raises(DataError, match="gate is"):
        dense_energy(p, rgb, **SIGMAS, gate=torch.ones(1, 7, 6))
    with pytest.raises(DataError, match="values are"):
        Lattice.build(points(5, 2)).filter(points(4, 2))


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 700), width=st.integers(1, 700), ordered=st.booleans())
def test_tiles_hold_every_point_once(height: int, width: int, ordered: bool) -> None:
    runs, first, capacity = Tiles.of(height * width, width if ordered else None)
    taken = np.zeros(height * width, int)
    for start, stop in runs:
        assert 0 < stop - start <= RUN
        taken[start:stop] += 1
    assert (taken == 1).all()
    assert first[0] == 0
    assert first[-1] == len(runs)
    sizes = np.add.reduceat(runs[:, 1] - runs[:, 0], first[:-1])
    assert (np.diff(first) > 0).all()
    assert sizes.max() <= capacity <= 8192


def test_tiles_change_the_order_of_the_sums_alone() -> None:
    image = photo_like(330, 310)[0].flatten(1).numpy() * 8
    values = np.random.default_rng(0).random((2, image.shape[1]), dtype=np.float32)
    plain, tiled = Lattice.from_planes(image), Lattice.from_planes(image, width=310)
    assert tiled.vertices == plain.vertices
    np.testing.assert_allclose(tiled.filter_planes(values), plain.filter_planes(values), rtol=1e-4)
