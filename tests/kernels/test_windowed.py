"""The windowed pair sums against loops that restate the definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.windowed import Backend, GaussianKernel, windowed_energy

KERNELS = [GaussianKernel(1.0, 3.0, 0.2), GaussianKernel(0.4, 1.5, None), GaussianKernel(-0.2, 2.0, 0.5)]
BACKENDS: list[Backend] = ["numba", "torch"]


def scene(
    count: int = 2, classes: int = 3, height: int = 5, width: int = 6, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Random probabilities and colours."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, classes, height, width, generator=draw, dtype=torch.float64)
    rgb = torch.rand(count, 3, height, width, generator=draw, dtype=torch.float64)
    return logits.mul(2).softmax(1).to(dtype), rgb.to(dtype)


def affinity(rgb: np.ndarray, i: tuple[int, int], j: tuple[int, int], kernels: list[GaussianKernel]) -> float:
    total = 0.0
    for k in kernels:
        exponent = ((i[0] - j[0]) ** 2 + (i[1] - j[1]) ** 2) / (2 * k.sigma_xy**2)
        if k.sigma_rgb is not None:
            exponent += sum((rgb[c, *i] - rgb[c, *j]) ** 2 for c in range(3)) / (2 * k.sigma_rgb**2)
        total += k.weight * math.exp(-exponent)
    return total


def pairs(height: int, width: int, radius: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    pixels = [(y, x) for y in range(height) for x in range(width)]
    return [(i, j) for i in pixels for j in pixels if i != j and max(abs(i[0] - j[0]), abs(i[1] - j[1])) <= radius]


def brute_energy(
    y: Tensor,
    rgb: Tensor,
    radius: int,
    source: Tensor | None = None,
    destination: Tensor | None = None,
) -> float:
    p, colours = y.double().numpy(), rgb.double().numpy()
    total = 0.0
    for n in range(len(p)):
        for i, j in pairs(p.shape[2], p.shape[3], radius):
            if source is not None and not source[n, *j]:
                continue
            if destination is not None and not destination[n, *i]:
                continue
            yi, yj = p[n, :, *i], p[n, :, *j]
            cost = 1 - yi @ yj
            total += affinity(colours[n], i, j, KERNELS) * cost
    return total


def gates(shape: tuple[int, int, int]) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(3)
    return {
        "source": torch.rand(shape, generator=draw) > 0.4,
        "destination": torch.rand(shape, generator=draw) > 0.3,
    }


CASES: dict[str, list[str]] = {"none": [], "source": ["source"], "destination": ["destination"]}
CASES["both"] = ["source", "destination"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_energy_equals_the_double_loop(backend: Backend, case: str) -> None:
    y, rgb = scene()
    used = {name: gates((2, 5, 6))[name] for name in CASES[case]}
    energy = windowed_energy(y, rgb, kernels=KERNELS, radius=2, backend=backend, **used)
    assert energy.item() == pytest.approx(brute_energy(y, rgb, 2, **used), rel=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_the_energys_in_double_precision(case: str) -> None:
    y, rgb = scene(dtype=torch.float64, height=4, width=3)
    used = {name: gates((2, 4, 3))[name] for name in CASES[case]}

    def energy(p: Tensor) -> Tensor:
        return windowed_energy(p, rgb, kernels=KERNELS, radius=2, **used)

    assert torch.autograd.gradcheck(energy, y.requires_grad_())


@pytest.mark.parametrize(
    ("height", "width", "radius"), [(5, 6, 2), (40, 33, 5), (33, 140, 3), (3, 2, 9), (1, 7, 2), (34, 21, 11)]
)
def test_back_ends_agree_beyond_one_block(height: int, width: int, radius: int) -> None:
    """The compiled back end works in blocks of 32 x 128 pixels, and in strips of 8 rows."""
    y, rgb = scene(height=height, width=width)
    used = gates((2, height, width))
    found = {}
    for backend in BACKENDS:
        p = y.clone().requires_grad_()
        energy = windowed_energy(p, rgb, kernels=KERNELS, radius=radius, backend=backend, **used)
        (3 * energy).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        found[backend] = energy.detach(), p.grad
    torch.testing.assert_close(found["numba"][0], found["torch"][0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["numba"][1], found["torch"][1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("classes", [1, 2, 7, 11, 12, 21, 24, 30])
def test_back_ends_agree_for_any_number_of_channels(classes: int) -> None:
    """The compiled back end sums the channels, and one of ones, in equal groups of at most 12."""
    y, rgb = scene(classes=classes, height=11, width=13)
    found = []
    for backend in BACKENDS:
        p = y.clone().requires_grad_()
        energy = windowed_energy(p, rgb, kernels=KERNELS, radius=3, backend=backend)
        found.append((energy.detach(), torch.autograd.grad(energy, p)[0]))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_padding_that_is_gated_out_changes_nothing(backend: Backend) -> None:
    y, rgb = scene()
    plain = windowed_energy(y, rgb, kernels=KERNELS, radius=2, backend=backend)
    wide, colours = torch.rand(2, 3, 9, 13), torch.rand(2, 3, 9, 13)
    wide[:, :, 2:7, 4:10], colours[:, :, 2:7, 4:10] = y, rgb
    valid = torch.zeros(2, 9, 13, dtype=torch.bool)
    valid[:, 2:7, 4:10] = True
    p = wide.requires_grad_()
    padded = windowed_energy(p, colours, kernels=KERNELS, radius=2, source=valid, destination=valid, backend=backend)
    (gradient,) = torch.autograd.grad(padded, p)
    assert padded.item() == pytest.approx(plain.item(), rel=1e-5)
    assert gradient.movedim(1, -1)[~valid].abs().max() == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [(1, 1), (6, 5), (40, 150)])
def test_constant_one_hot_costs_exactly_nothing(backend: Backend, size: tuple[int, int]) -> None:
    y = torch.zeros(2, 4, *size)
    y[:, 1] = 1
    rgb = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    assert windowed_energy(y, rgb, kernels=KERNELS, radius=3, backend=backend).item() == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_single(backend: Backend, dtype: torch.dtype) -> None:
    y, rgb = scene(height=40, width=40, dtype=dtype)
    half = y.clone().requires_grad_()
    energy = windowed_energy(half, rgb, kernels=KERNELS, radius=3, backend=backend)
    single = y.float().requires_grad_()
    expected = windowed_energy(single, rgb.float(), kernels=KERNELS, radius=3, backend=backend)
    torch.autograd.backward([energy, expected])
    assert energy.dtype == torch.float32
    assert energy.item() == expected.item()
    assert half.grad is not None
    assert single.grad is not None
    assert half.grad.dtype == dtype
    torch.testing.assert_close(half.grad, single.grad.to(dtype))


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_memory_layout(backend: Backend) -> None:
    y, rgb = scene()
    settings_: dict[str, Any] = {"kernels": KERNELS, "radius": 2, "backend": backend}
    expected = windowed_energy(y, rgb, **settings_).item()
    last = y.to(memory_format=torch.channels_last), rgb.to(memory_format=torch.channels_last)
    assert windowed_energy(*last, **settings_).item() == expected
    strided = torch.stack([y, y], dim=-1).flatten(-2)[..., ::2], torch.cat([rgb, rgb], dim=2)[:, :, :5]
    assert not strided[0].is_contiguous()
    assert windowed_energy(*strided, **settings_).item() == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_image_and_one_class(backend: Backend) -> None:
    y, rgb = scene(1, 1)
    y = torch.rand(1, 1, 5, 6, generator=torch.Generator().manual_seed(1))
    energy = windowed_energy(y, rgb, kernels=KERNELS, radius=2, backend=backend)
    assert energy.item() == pytest.approx(brute_energy(y, rgb, 2), rel=1e-5)


def test_inputs_are_left_alone_and_backward_can_run_twice() -> None:
    y, rgb = scene()
    used = gates((2, 5, 6))
    kept = [t.clone() for t in (y, rgb, *used.values())]
    p = y.requires_grad_()
    energy = windowed_energy(p, rgb, kernels=KERNELS, radius=2, **used)
    first = torch.autograd.grad(energy, p, retain_graph=True)[0]
    second = torch.autograd.grad(energy, p)[0]
    assert torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip((p, rgb, *used.values()), kept, strict=True))


def test_the_number_of_threads_does_not_change_the_result() -> None:
    y, rgb = scene(height=70, width=40)
    energies = []
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            energies.append(windowed_energy(y, rgb, kernels=KERNELS, radius=5, backend="numba").item())
    finally:
        torch.set_num_threads(threads)
    assert energies[0] == energies[1]


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    classes=st.integers(1, 4),
    radius=st.integers(1, 8),
    seed=st.integers(0, 1000),
)
def test_energy_property(height: int, width: int, classes: int, radius: int, seed: int) -> None:
    """Equal to the loop for every small size; permuting the classes changes nothing."""
    y, rgb = scene(1, classes, height, width, seed)
    for backend in BACKENDS:
        energy = windowed_energy(y, rgb, kernels=KERNELS, radius=radius, backend=backend).item()
        assert energy == pytest.approx(brute_energy(y, rgb, radius), rel=1e-5, abs=1e-5)
        flipped = windowed_energy(y.flip(1), rgb, kernels=KERNELS, radius=radius, backend=backend).item()
        assert flipped == pytest.approx(energy, rel=1e-5, abs=1e-5)


def test_errors_name_the_value_and_the_accepted() -> None:
    y, rgb = scene()
    with pytest.raises(DataError, match=r"rgb has shape \(2, 3, 4, 6\)"):
        windowed_energy(y, rgb[:, :, :4], kernels=KERNELS, radius=2)
    with pytest.raises(DataError, match="source has shape"):
        windowed_energy(y, rgb, kernels=KERNELS, radius=2, source=torch.ones(2, 5, 6))
    with pytest.raises(ConfigError, match="radius is 0"):
        windowed_energy(y, rgb, kernels=KERNELS, radius=0)
    with pytest.raises(ConfigError, match="no kernel"):
        windowed_energy(y, rgb, kernels=[], radius=1)
    with pytest.raises(ConfigError, match="float64"):
        windowed_energy(y.double(), rgb, kernels=KERNELS, radius=2, backend="numba")
    with pytest.raises(ConfigError, match="sigma_xy is 0"):
        GaussianKernel(1.0, 0, None)
