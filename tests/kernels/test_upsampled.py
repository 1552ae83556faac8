"""The softmax of upsampled logits against torch's two steps and a loop, and the energies that make it on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.errors import DataError
from underpaint.kernels import quadratic
from underpaint.kernels.lattice import dense_energy
from underpaint.kernels.upsampled import UpsampledSoftmax, upsampled_softmax
from underpaint.kernels.windowed import GaussianKernel, windowed_energy

SIZES = [
    ((5, 7), (20, 28)),
    ((5, 7), (13, 11)),
    ((9, 4), (10, 5)),
    ((13, 12), (5, 4)),
    ((6, 6), (6, 6)),
    ((1, 1), (4, 3)),
]
KERNELS = [GaussianKernel(1.0, 3.0, 0.2)]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).float()


def two_steps(logits: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False).softmax(1)


def value_and_gradient(value: Tensor, logits: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
    (gradient,) = torch.autograd.grad(value, logits, upstream)
    return value.detach(), gradient


@pytest.mark.parametrize("classes", [1, 2, 7, 21, 30])
@pytest.mark.parametrize(("cells", "pixels"), SIZES)
def test_agrees_with_torchs_two_steps(classes: int, cells: tuple[int, int], pixels: tuple[int, int]) -> None:
    logits, upstream = draw(2, classes, *cells).requires_grad_(), draw(2, classes, *pixels, seed=1)
    ours, slope = value_and_gradient(upsampled_softmax(logits, pixels), logits, upstream)
    theirs, expected = value_and_gradient(two_steps(logits, pixels), logits, upstream)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=2e-6)


@settings(max_examples=40, deadline=None)
@given(
    cells=st.tuples(st.integers(1, 23), st.integers(1, 19)),
    pixels=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    classes=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_agrees_with_double_precision_at_any_ratio(
    cells: tuple[int, int], pixels: tuple[int, int], classes: int, seed: int
) -> None:
    logits, upstream = draw(1, classes, *cells, seed=seed).requires_grad_(), draw(1, classes, *pixels, seed=seed + 1)
    ours, slope = value_and_gradient(upsampled_softmax(logits, pixels), logits, upstream)
    fine = logits.detach().double().requires_grad_()
    theirs, expected = value_and_gradient(two_steps(fine, pixels), fine, upstream.double())
    # Torch's positions are float32 in float32: near cell 20 they are off by 2e-6 of a cell, and so are ours.
    torch.testing.assert_close(ours.double(), theirs, rtol=2e-5, atol=1e-7)
    torch.testing.assert_close(slope.double(), expected, rtol=1e-4, atol=1e-5)


def test_one_pixel_by_hand() -> None:
    # Pixel (2, 5) of 4x8 lies at row 0.75 and column 2.25 of the 2x4 cells.
    logits = draw(1, 3, 2, 4).mul(3)
    weights = {(0, 2): 0.25 * 0.75, (0, 3): 0.25 * 0.25, (1, 2): 0.75 * 0.75, (1, 3): 0.75 * 0.25}
    z = [sum(w * float(logits[0, k, y, x]) for (y, x), w in weights.items()) for k in range(3)]
    total = sum(math.exp(v) for v in z)
    wanted = torch.tensor([math.exp(v) / total for v in z])
    torch.testing.assert_close(upsampled_softmax(logits, (4, 8))[0, :, 2, 5], wanted, rtol=2e-6, atol=0)


def test_gradient_of_the_torch_form() -> None:
    logits = draw(2, 3, 2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: upsampled_softmax(z, (5, 6)), [logits])


def test_far_apart_logits_neither_overflow_nor_vanish() -> None:
    logits = torch.tensor([[300.0, -300.0], [0.0, 0.0], [-300.0, 300.0]]).view(1, 3, 1, 2)
    torch.testing.assert_close(upsampled_softmax(logits, (1, 9)), two_steps(logits, (1, 9)), rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stays_as_visible_as_in_torch(bad: float) -> None:
    logits = draw(1, 3, 3, 3)
    logits[0, 1, 1, 1] = bad
    torch.testing.assert_close(upsampled_softmax(logits, (6, 6)), two_steps(logits, (6, 6)), equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype: torch.dtype) -> None:
    logits = draw(1, 4, 3, 5).to(dtype).requires_grad_()
    probabilities = upsampled_softmax(logits, (7, 9))
    assert probabilities.dtype == torch.float32
    torch.testing.assert_close(probabilities, two_steps(logits.float(), (7, 9)), rtol=1e-6, atol=1e-7)
    torch.autograd.backward(probabilities.square().sum())
    assert logits.grad is not None
    assert logits.grad.dtype == dtype


def test_any_layout() -> None:
    logits, upstream = draw(2, 4, 5, 6), draw(2, 9, 8, 4, seed=1).permute(0, 3, 1, 2)
    last = logits.to(memory_format=torch.channels_last).requires_grad_()
    ours, slope = value_and_gradient(upsampled_softmax(last, (9, 8)), last, upstream)
    plain = logits.clone().requires_grad_()
    theirs, expected = value_and_gradient(two_steps(plain, (9, 8)), plain, upstream)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-6)


def test_the_number_of_threads_changes_no_bit() -> None:
    logits, before = draw(1, 3, 17, 5), torch.get_num_threads()
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        given = logits.clone().requires_grad_()
        results.append(value_and_gradient(upsampled_softmax(given, (50, 20)), given, draw(1, 3, 50, 20, seed=1)))
    torch.set_num_threads(before)
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize(
    ("logits", "size"),
    [
        (torch.zeros(3, 4, 4), (8, 8)),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int64), (8, 8)),
        (torch.zeros(1, 3, 4, 4), (0, 8)),
    ],
)
def test_refuses_what_is_no_map_of_logits(logits: Tensor, size: tuple[int, int]) -> None:
    with pytest.raises(DataError):
        upsampled_softmax(logits, size)
    with pytest.raises(DataError):
        UpsampledSoftmax(logits, size)


def scene() -> tuple[Tensor, Tensor, Tensor]:
    """Logits at stride 4, colours, and a mask with padding."""
    logits, rgb = draw(3, 4, 3, 4).requires_grad_(), draw(3, 3, 12, 15, seed=1).sigmoid()
    valid = torch.ones(3, 12, 15, dtype=torch.bool)
    valid[0, :, -4:] = False
    valid[2, :5] = False
    return logits, rgb, valid


def windowed(p: Tensor | UpsampledSoftmax, rgb: Tensor, valid: Tensor, matrix: Tensor | None = None) -> Tensor:
    return windowed_energy(p, rgb, kernels=KERNELS, radius=2, source=valid, destination=None, compatibility=matrix)


def dense(p: Tensor | UpsampledSoftmax, rgb: Tensor, valid: Tensor, *, gated: bool, exact: bool) -> Tensor:
    gate = valid.to(rgb) * rgb[:, 0] if gated else None
    gradient: Literal["exact", "reference"] = "exact" if exact else "reference"
    return dense_energy(p, rgb, sigma_xy=5, sigma_rgb=0.2, gate=gate, valid=valid, gradient=gradient)


ENERGIES: dict[str, Callable[[Tensor | UpsampledSoftmax, Tensor, Tensor], Tensor]] = {
    "Potts": windowed,
    "matrix": lambda p, rgb, valid: windowed(p, rgb, valid, draw(4, 4, seed=3).abs()),
    "dense": lambda p, rgb, valid: dense(p, rgb, valid, gated=False, exact=True),
    "dense, reference": lambda p, rgb, valid: dense(p, rgb, valid, gated=False, exact=False),
    "dense, gate": lambda p, rgb, valid: dense(p, rgb, valid, gated=True, exact=True),
    "dense, gate, reference": lambda p, rgb, valid: dense(p, rgb, valid, gated=True, exact=False),
}


@pytest.mark.parametrize("group", [1, 2 * 4 * 12 * 15, 10**9], ids=["one by one", "two and one", "all"])
@pytest.mark.parametrize("name", ENERGIES)
def test_an_energy_made_image_by_image_is_the_energy_of_the_batch(
    name: str, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quadratic, "_GROUP", group)
    logits, rgb, valid = scene()
    ours = value_and_gradient(3 * ENERGIES[name](UpsampledSoftmax(logits, (12, 15)), rgb, valid), logits)
    theirs = value_and_gradient(3 * ENERGIES[name](two_steps(logits, (12, 15)), rgb, valid), logits)
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-4, atol=1e-5 * float(theirs[1].abs().max()))


@pytest.mark.parametrize("name", ["Potts", "matrix", "dense", "dense, gate"])
def test_gradient_of_an_energy_in_double_precision(name: str) -> None:
    logits = draw(1, 4, 2, 2).double().requires_grad_()
    rgb, valid = draw(1, 3, 4, 5, seed=1).sigmoid().double(), torch.ones(1, 4, 5, dtype=torch.bool)
    valid[:, :, 4] = False
    energy = ENERGIES[name]
    assert torch.autograd.gradcheck(lambda z: energy(UpsampledSoftmax(z, (4, 5)), rgb, valid), [logits], atol=1e-6)


def test_half_precision_and_not_finite_logits_in_an_energy() -> None:
    logits, rgb, valid = scene()
    half = logits.detach().half().requires_grad_()
    torch.autograd.backward(windowed(UpsampledSoftmax(half, (12, 15)), rgb, valid))
    assert half.grad is not None
    assert half.grad.dtype == torch.float16
    spoilt = logits.detach().clone()
    spoilt[1, 0, 1, 1] = math.nan
    assert windowed(UpsampledSoftmax(spoilt, (12, 15)), rgb, valid).isnan()
