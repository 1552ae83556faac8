"""Random walks against dense matrices built pair by pair."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.randomwalk import (
    boundary_affinities,
    feature_affinities,
    half_disc,
    random_walk,
    transition_matrix,
)

HEIGHT, WIDTH = 6, 7


def edges(seed: int = 0, radius: int = 3) -> Tensor:
    return torch.rand(len(half_disc(radius)), HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


def scores() -> Tensor:
    return torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))


def dense(affinities: Tensor, radius: int, exponent: float) -> np.ndarray:
    matrix = np.eye(HEIGHT * WIDTH)
    for (dy, dx), edge in zip(half_disc(radius), affinities.double().numpy(), strict=True):
        for y in range(HEIGHT):
            for x in range(WIDTH):
                if y + dy < HEIGHT and 0 <= x + dx < WIDTH:
                    i, j = y * WIDTH + x, (y + dy) * WIDTH + x + dx
                    matrix[i, j] = matrix[j, i] = edge[y, x] ** exponent
    return np.asarray(matrix / matrix.sum(axis=0))


def test_half_disc_of_the_paper() -> None:
    """Radius 5 has 34 pairs a pixel (68 neighbours), as many as PSA's affinity has channels."""
    offsets = half_disc(5)
    assert len(offsets) == 34
    whole = {(dy, dx) for dy in range(-5, 6) for dx in range(-5, 6) if 0 < dy**2 + dx**2 < 25}
    assert set(offsets) | {(-dy, -dx) for dy, dx in offsets} == whole
    assert not set(offsets) & {(-dy, -dx) for dy, dx in offsets}


@pytest.mark.parametrize("radius", [2, 3, 9])
def test_transition_matrix_equals_the_dense_one(radius: int) -> None:
    affinities = edges(radius=radius)
    matrix = transition_matrix(affinities, radius=radius, exponent=2.0)
    np.testing.assert_allclose(matrix.to_dense().numpy(), dense(affinities, radius, 2.0), atol=1e-6)
    torch.testing.assert_close(matrix.to_dense().sum(dim=0), torch.ones(HEIGHT * WIDTH))


@pytest.mark.parametrize("steps", [0, 1, 3, 256])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_walk_equals_the_matrix_power(steps: int, dtype: torch.dtype) -> None:
    affinities, s = edges(), scores().to(dtype)
    power = np.linalg.matrix_power(dense(affinities, 3, 4.0), steps)
    expected = (s.flatten(1).double().numpy() @ power).reshape(s.shape)
    walked = random_walk(s, affinities, radius=3, exponent=4.0, steps=steps)
    assert walked.dtype == dtype
    np.testing.assert_allclose(walked, expected, atol=1e-5)


def test_sparse_and_dense_agree() -> None:
    """The grid is small enough for squaring with 256 steps and too large for it with 3 (checked by the costs)."""
    affinities, s = edges(), scores()
    short = s
    for _ in range(85):
        short = random_walk(short, affinities, radius=3, exponent=4.0, steps=3)
    long = random_walk(s, affinities, radius=3, exponent=4.0, steps=255)
    torch.testing.assert_close(short, long, rtol=1e-4, atol=1e-5)


def test_constants_stay_and_walls_hold() -> None:
    wall = torch.zeros(HEIGHT, WIDTH)
    wall[:, 3] = 1
    affinities = boundary_affinities(wall, radius=5)
    ones = torch.ones(1, HEIGHT, WIDTH)
    torch.testing.assert_close(random_walk(ones, affinities, radius=5, exponent=10, steps=300), ones)
    left = torch.zeros(1, HEIGHT, WIDTH)
    left[:, 2, 0] = 1
    walked = random_walk(left, affinities, radius=5, exponent=10, steps=300)
    assert walked[..., 3:].abs().max() == 0
    torch.testing.assert_close(walked[..., :3], torch.full((1, HEIGHT, 3), 1 / 18), rtol=0.5, atol=0)


def test_boundary_affinity_is_one_minus_the_strongest_pixel_on_the_path() -> None:
    boundary = torch.rand(HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2))
    found = dict(zip(half_disc(4), boundary_affinities(boundary, radius=4), strict=True))
    # A diagonal takes the pixels beside it (0.71 away) but not the far corners of its box (1.41 away).
    paths = {
        (0, 3): [(0, 0), (0, 1), (0, 2), (0, 3)],
        (2, 2): [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2)],
        (2, 1): [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)],
        (2, -1): [(0, 0), (0, -1), (1, 0), (1, -1), (2, 0), (2, -1)],
    }
    for (dy, dx), path in paths.items():
        for y in range(HEIGHT):
            for x in range(WIDTH):
                inside = y + dy < HEIGHT and 0 <= x + dx < WIDTH
                expected = 1 - max(boundary[y + a, x + b].item() for a, b in path) if inside else 0
                assert found[dy, dx][y, x].item() == pytest.approx(expected, abs=1e-6)


def test_feature_affinity_equals_its_definition() -> None:
    features = torch.randn(4, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3))
    for (dy, dx), edge in zip(half_disc(3), feature_affinities(features, radius=3), strict=True):
        for y in range(HEIGHT):
            for x in range(WIDTH):
                inside = y + dy < HEIGHT and 0 <= x + dx < WIDTH
                other = features[:, y + dy, x + dx] if inside else features[:, y, x]
                expected = math.exp(-(features[:, y, x] - other).abs().mean()) if inside else 0
                assert edge[y, x].item() == pytest.approx(expected, rel=1e-5)


def test_affinities_are_differentiable() -> None:
    draw = torch.Generator().manual_seed(4)
    features = torch.rand(2, 3, 3, generator=draw, dtype=torch.float64).requires_grad_()
    boundary = torch.rand(3, 4, generator=draw, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda f: feature_affinities(f, radius=2), features)
    assert torch.autograd.gradcheck(lambda b: boundary_affinities(b, radius=3), boundary)


def test_radius_larger_than_the_image() -> None:
    affinities = boundary_affinities(torch.zeros(2, 1), radius=5)
    walked = random_walk(torch.tensor([[[1.0], [0.0]]]), affinities, radius=5, exponent=8, steps=1)
    torch.testing.assert_close(walked, torch.full((1, 2, 1), 0.5))


def test_errors() -> None:
    with pytest.raises(DataError, match="the affinities have shape"):
        transition_matrix(edges(), radius=4, exponent=1)
    with pytest.raises(DataError, match="between 0 and 1"):
        transition_matrix(edges() + 1, radius=3, exponent=1)
    with pytest.raises(DataError, match="the scores have shape"):
        random_walk(scores()[:, 1:], edges(), radius=3, exponent=1, steps=1)
    with pytest.raises(ConfigError, match="steps is -1"):
        random_walk(scores(), edges(), radius=3, exponent=1, steps=-1)
    with pytest.raises(ConfigError, match="radius is 1"):
        half_disc(1)
