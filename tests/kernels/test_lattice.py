"""The permutohedral lattice against a dictionary of vertices and against the exact Gaussian."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.bilateral.coordinates import image_features
from underpaint.kernels.bilateral.lattice import Direction, Lattice
from underpaint.kernels.bilateral.lattice_torch import TorchLattice
from underpaint.kernels.bilateral.tiles import RUN, Tiles


def points(count: int, dims: int, seed: int = 0) -> NDArray[np.float32]:
    """(dims, count) features, or channels of values."""
    drawn = np.random.default_rng(seed).normal(0, 2, (count, dims)).astype(np.float32)
    return np.ascontiguousarray(drawn.T)


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


def exact_affinity(rgb: Tensor, sigma_xy: float, sigma_rgb: float) -> Tensor:
    _, _, height, width = rgb.shape
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    features = torch.cat([torch.stack([column, row]).flatten(1) / sigma_xy, rgb[0].flatten(1) / sigma_rgb]).T.double()
    return torch.exp(-0.5 * torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist") ** 2)


@pytest.mark.parametrize(("count", "dims"), [(1, 5), (80, 5), (80, 2), (60, 1), (60, 3), (60, 4)])
def test_both_lattices_equal_the_plain_one(count: int, dims: int) -> None:
    features, values = points(count, dims), points(count, 3, seed=1)
    expected = plain_filter(features.T, values.T).T
    np.testing.assert_allclose(Lattice.build(features).filter(values), expected, rtol=1e-4, atol=1e-5)
    lattice = TorchLattice.build(torch.from_numpy(features))
    np.testing.assert_allclose(lattice.filter(torch.from_numpy(values)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 8, 21, 32, 41])
def test_back_ends_agree_over_several_tiles(channels: int) -> None:
    """Without an image a tile has 2048 points, and its hash table grows if it finds more than 2048 vertices."""
    features, values = points(20000, 5), points(20000, channels, seed=1)
    active = np.random.default_rng(2).random(20000) < 0.7
    compiled = Lattice.build(features, active)
    plain = TorchLattice.build(torch.from_numpy(features), torch.from_numpy(active))
    assert compiled.vertices == plain.neighbours.shape[1] - 1
    directions: tuple[Direction, ...] = ("forth", "back", "both")
    for direction in directions:
        filtered = compiled.filter(values, direction)
        expected = plain.filter(torch.from_numpy(values), direction).numpy()
        np.testing.assert_allclose(filtered, expected, rtol=1e-4, atol=2e-4)
        assert np.abs(filtered[:, ~active]).max() == 0


@pytest.mark.parametrize("dims", [2, 5])
def test_the_way_back_is_the_transpose(dims: int) -> None:
    """``b' A a = a' A' b``, and "both" is the sum; on these points A is not symmetric."""
    lattice = Lattice.build(points(500, dims))
    a, b = points(500, 2, seed=1), points(500, 2, seed=2)
    forth, back = lattice.filter(a), lattice.filter(a, "back")
    assert (b * forth).sum() == pytest.approx((lattice.filter(b, "back") * a).sum(), rel=1e-4)
    np.testing.assert_allclose(lattice.filter(a, "both"), forth + back, rtol=1e-4, atol=1e-4)
    assert not np.allclose(forth, back, rtol=1e-3)


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
def test_the_normalised_filter_is_near_the_exact_average(sigma_xy: float, sigma_rgb: float) -> None:
    rgb, values = photo_like(40, 48), points(40 * 48, 3)
    affinity = exact_affinity(rgb, sigma_xy, sigma_rgb).numpy()
    features = image_features(rgb[0], sigma_xy=sigma_xy, sigma_rgb=sigma_rgb).numpy()
    lattice = Lattice.build(features, width=48)
    ones = lattice.filter(np.ones((1, 40 * 48), np.float32))
    assert np.abs(lattice.filter(values) / ones - values @ affinity.T / affinity.sum(1)).mean() < 0.04
    assert 0.35 < (ones / affinity.sum(1)).mean() < 0.7


def test_errors() -> None:
    with pytest.raises(DataError, match="not finite"):
        Lattice.build(points(5, 2) * np.float32(np.nan))
    with pytest.raises(ConfigError, match="7 dimensions"):
        Lattice.build(points(5, 7))
    with pytest.raises(ConfigError, match="2\\^62"):
        Lattice.build(points(5, 5) * np.float32(1e6))


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
    plain, tiled = Lattice.build(image), Lattice.build(image, width=310)
    assert tiled.vertices == plain.vertices
    np.testing.assert_allclose(tiled.filter(values), plain.filter(values), rtol=1e-4)
