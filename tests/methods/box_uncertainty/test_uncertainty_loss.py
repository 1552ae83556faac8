"""Expected softmax against sampling and quadrature; group losses and targets against loops; where boxes win."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from underpaint.methods.box_uncertainty.losses import expected_logits, group_cross_entropy, hard_targets, soft_targets

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(200)


def expected_sigmoid(mean: float, variance: float) -> float:
    """By Gauss-Hermite quadrature; its error at 200 nodes is far below what is compared."""
    return float((WEIGHTS / (1 + np.exp(-(mean + math.sqrt(variance) * NODES)))).sum() / WEIGHTS.sum())


def test_two_classes_are_the_expected_sigmoid_of_the_difference() -> None:
    """The approximation's own error is below 0.02; a variance meant for each logit, twice as wide, would show."""
    for mean in (-4.0, -1.0, 0.0, 0.5, 2.0, 6.0):
        for variance in (0.0, 0.1, 1.0, 5.0, 40.0):
            given, width = (torch.tensor([row], dtype=torch.float64) for row in ([0.7, 0.7 + mean], [variance]))
            found = float(expected_logits(given, width).softmax(dim=1)[0, 1])
            assert found == pytest.approx(1 / (1 + math.exp(-mean / math.sqrt(1 + math.pi * variance / 8))), abs=1e-9)
            assert found == pytest.approx(expected_sigmoid(mean, variance), abs=0.02)


def sampled(mean: Tensor, variance: float) -> Tensor:
    """(C,) softmax of logits that each carry half the variance of their differences, averaged over draws."""
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(200_000, len(mean), generator=draw) * math.sqrt(variance / 2)
    return (mean + noise).softmax(dim=1).mean(dim=0)


@pytest.mark.parametrize(("classes", "error"), [(2, 0.02), (3, 0.04), (7, 0.1)])
def test_half_of_the_variance_on_each_logit_is_what_sampling_gives(classes: int, error: float) -> None:
    mean = torch.linspace(-1.0, 2.0, classes)
    for variance in (0.5, 4.0, 30.0):
        found = expected_logits(mean[None], torch.tensor([[variance]])).softmax(dim=1)[0]
        assert float((found - sampled(mean, variance)).abs().max()) < error
    if classes == 2:  # the other reading of the variance is told apart
        wide = expected_logits(mean[None], torch.tensor([[8.0]])).softmax(dim=1)[0]
        assert float((wide - sampled(mean, 4.0)).abs().max()) > error


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6), st.floats(0, 1e6))
def test_the_largest_logit_stays_the_largest(mean: list[float], variance: float) -> None:
    values = torch.tensor([mean], dtype=torch.float64)
    found = expected_logits(values, torch.tensor([[variance]], dtype=torch.float64))
    best = int(values.argmax())
    assert float(found[0, best]) == float(found.max())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_no_variance_is_no_change_and_half_precision_is_left(dtype: torch.dtype) -> None:
    mean = torch.tensor([[1.0, -2.0, 300.0]], dtype=dtype)
    wanted = mean.to(torch.promote_types(dtype, torch.float32))
    for variance in (None, torch.zeros(1, 1, dtype=dtype)):
        found = expected_logits(mean, variance)
        assert found.dtype == wanted.dtype
        assert torch.equal(found, wanted)
    high = torch.full((1, 1), 60_000.0, dtype=dtype)  # times pi / 8 + 1, near the end of half precision
    assert bool(torch.isfinite(expected_logits(mean, high)).all())


def groups(pixels: int = 40, classes: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Logits, variance, label, rest and target of random pixels; the first has no rest."""
    draw = torch.Generator().manual_seed(2)
    kind = torch.randint(0, 3, (pixels, classes), generator=draw)
    kind[:, 1] = 1
    kind[0] = kind[0].clamp(max=1)
    logits = torch.randn(pixels, classes, generator=draw).double().mul(2)
    return logits, torch.rand(pixels, generator=draw), kind == 1, kind == 2, torch.rand(pixels, generator=draw).double()


def test_group_cross_entropy_equals_a_loop() -> None:
    logits, _, label, rest, target = groups()
    found = group_cross_entropy(logits, label, rest, target)
    assert not rest[0].any()
    for i in range(len(logits)):
        p = logits[i].softmax(dim=0)
        wanted = -math.log(float(p[label[i]].sum()))
        if rest[i].any():
            t = float(target[i])
            wanted = t * wanted - (1 - t) * math.log(float(p[rest[i]].sum()))
        assert float(found[i]) == pytest.approx(wanted, abs=1e-9)


def test_gradients_equal_differences() -> None:
    logits, variance, label, rest, target = groups(pixels=6)
    width = (5 * variance[:, None]).double().requires_grad_()

    def loss(mean: Tensor, width: Tensor) -> Tensor:
        return group_cross_entropy(expected_logits(mean, width), label, rest, target).sum()

    assert torch.autograd.gradcheck(loss, (logits.requires_grad_(), width))


def test_an_impossible_rest_leaves_gradients_finite() -> None:
    logits = torch.tensor([[1.0, -1.0]], requires_grad=True)
    label, none = torch.tensor([[True, False]]), torch.zeros(1, 2, dtype=torch.bool)
    loss = group_cross_entropy(logits, label, none, torch.zeros(1))
    (slope,) = torch.autograd.grad(loss.sum(), logits)
    assert bool(torch.isfinite(slope).all())
    assert float(slope[0, 0]) < 0, "with no other candidate the label holds, whatever the target"


def test_hard_targets_equal_a_loop() -> None:
    logits, variance, label, rest, _ = groups()
    found = hard_targets(logits, variance, label, rest)
    threshold = float(np.sort(variance.numpy())[(len(variance) - 1) // 2])
    flipped = 0
    for i in range(len(logits)):
        candidates = [c for c in range(5) if label[i, c] or rest[i, c]]
        best = max(candidates, key=lambda c: float(logits[i, c]))
        wanted = 0.0 if rest[i, best] and float(variance[i]) > threshold else 1.0
        flipped += wanted == 0
        assert float(found[i]) == wanted
    assert 0 < flipped <= len(logits) / 2


def test_soft_targets_equal_a_loop_and_are_detached() -> None:
    logits, _, label, rest, _ = groups()
    found = soft_targets(logits.requires_grad_(), label, rest, share=0.8)
    assert not found.requires_grad
    for i in range(len(logits)):
        p = logits[i].detach().softmax(dim=0)
        q = float(p[label[i]].sum() / p[label[i] | rest[i]].sum())
        assert float(found[i]) == pytest.approx(0.8 + 0.2 * q, abs=1e-9)


def best_mean(clean: float) -> tuple[float, float]:
    """(mu, s) of a ground pixel that looks the same in masks, with this share of the weight, and in boxes."""
    mu, s = (axis.reshape(-1, 1) for axis in np.meshgrid(np.linspace(-8, 4, 241), np.geomspace(1e-3, 1e5, 161)))
    mean = torch.from_numpy(np.concatenate([np.zeros_like(mu), mu], axis=1))
    ground, thing = torch.zeros(len(mu), 2) > 0, torch.zeros(len(mu), 2) > 0
    ground[:, 0] = thing[:, 1] = True
    ones = torch.ones(len(mu)).double()
    sure = group_cross_entropy(mean, ground, thing, ones)
    doubted = group_cross_entropy(expected_logits(mean, torch.from_numpy(s)), thing, ground, ones)
    best = int((clean * sure + (1 - clean) * doubted).argmin())
    return float(mu[best, 0]), float(s[best, 0])


def test_under_about_a_quarter_of_clean_weight_the_box_wins() -> None:
    """The flip lies where H(q) = (1 - q) ln 2: below, believing the box costs less than doubting it."""
    low, high = 0.01, 0.5
    for _ in range(50):
        q = (low + high) / 2
        entropy = -q * math.log(q) - (1 - q) * math.log(1 - q)
        low, high = (q, high) if entropy < (1 - q) * math.log(2) else (low, q)
    assert low == pytest.approx(0.227, abs=1e-3)
    for clean in (0.1, 0.18, 0.21):
        mean, variance = best_mean(clean)
        assert mean == pytest.approx(math.log((1 - clean) / clean), abs=0.06)
        assert variance < 0.01
    for clean in (0.24, 0.3, 0.5):
        mean, variance = best_mean(clean)
        assert mean < -2
        assert variance > 100
