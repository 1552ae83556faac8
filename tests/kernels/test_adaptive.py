"""Pixel-adaptive refinement against loops that restate the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.adaptive import pixel_adaptive_refinement


def scene(
    classes: int = 2, height: int = 6, width: int = 5, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    masks = torch.rand(2, classes, height, width, generator=draw, dtype=torch.float64)
    return masks.to(dtype), torch.rand(2, 3, height, width, generator=draw, dtype=torch.float64).to(dtype)


def brute(masks: Tensor, rgb: Tensor, dilations: tuple[int, ...], iterations: int) -> np.ndarray:
    m, image = masks.double().numpy().copy(), rgb.double().numpy()
    count, _, height, width = m.shape
    around = [(dy * d, dx * d) for d in dilations for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    distance = np.array([math.hypot(*o) for o in around])
    position = np.exp(-((distance / (distance.std(ddof=1) + 1e-8) / 0.3) ** 2))
    for n in range(count):
        for _ in range(iterations):
            new = np.zeros_like(m[n])
            for y in range(height):
                for x in range(width):
                    places = [(min(max(y + a, 0), height - 1), min(max(x + b, 0), width - 1)) for a, b in around]
                    colours = np.array([image[n, :, *p] for p in places])
                    scale = (colours.std(axis=0, ddof=1) + 1e-8) * 0.3
                    kappa = -(((colours - image[n, :, y, x]) / scale) ** 2).mean(axis=1)
                    weight = np.exp(kappa - kappa.max())
                    weight = weight / weight.sum() + 0.01 * position / position.sum()
                    new[:, y, x] = sum(w * m[n, :, *p] for w, p in zip(weight, places, strict=True))
            m[n] = new
    return m


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dilations", [(1, 2, 4), (1, 9)])
def test_equals_the_loop(dtype: torch.dtype, dilations: tuple[int, ...]) -> None:
    masks, rgb = scene(dtype=dtype)
    refined = pixel_adaptive_refinement(masks, rgb, dilations=dilations, iterations=3)
    assert refined.dtype == dtype
    np.testing.assert_allclose(refined.numpy(), brute(masks, rgb, dilations, 3), rtol=1e-4, atol=1e-6)


def test_default_dilations_in_both_precisions() -> None:
    masks, rgb = scene(3, 40, 61)
    single = pixel_adaptive_refinement(masks, rgb)
    double = pixel_adaptive_refinement(masks.double(), rgb.double())
    torch.testing.assert_close(single, double.float(), rtol=1e-4, atol=1e-5)


def test_constant_mask_grows_by_one_percent_an_iteration() -> None:
    _, rgb = scene()
    refined = pixel_adaptive_refinement(torch.ones(2, 1, 6, 5), rgb, iterations=4)
    torch.testing.assert_close(refined, torch.full_like(refined, 1.01**4))


def test_edges_stop_the_averaging() -> None:
    """Seeds spread over their own half of a two-coloured image and not into the other."""
    rgb = torch.zeros(1, 3, 16, 16)
    rgb[..., 8:] = 1
    masks = torch.zeros(1, 2, 16, 16)
    masks[0, 0, 8, 2] = masks[0, 1, 8, 13] = 1
    refined = pixel_adaptive_refinement(masks, rgb, iterations=20)
    assert (refined[0, 0, :, :8] > refined[0, 1, :, :8]).all()
    assert (refined[0, 1, :, 8:] > refined[0, 0, :, 8:]).all()


def test_units_layout_and_half_precision() -> None:
    masks, rgb = scene(3, 12, 11)
    expected = pixel_adaptive_refinement(masks, rgb)
    torch.testing.assert_close(pixel_adaptive_refinement(masks, rgb * 255), expected, rtol=1e-3, atol=1e-4)
    last = masks.to(memory_format=torch.channels_last), rgb.to(memory_format=torch.channels_last)
    assert torch.equal(pixel_adaptive_refinement(*last), expected)
    half = pixel_adaptive_refinement(masks.half(), rgb.half())
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), expected, rtol=0.02, atol=0.01)


def test_no_gradient_and_no_iteration() -> None:
    masks, rgb = scene()
    assert not pixel_adaptive_refinement(masks.requires_grad_(), rgb).requires_grad
    assert torch.equal(pixel_adaptive_refinement(masks, rgb, iterations=0), masks)


def test_errors() -> None:
    masks, rgb = scene()
    with pytest.raises(DataError, match="rgb has shape"):
        pixel_adaptive_refinement(masks, rgb[:1])
    with pytest.raises(ConfigError, match="the dilations are"):
        pixel_adaptive_refinement(masks, rgb, dilations=(0,))
