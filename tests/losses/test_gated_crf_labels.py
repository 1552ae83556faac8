"""Labels by mean-field inference under the gated CRF, against a loop over all pairs of cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from underpaint.kernels.windowed import GaussianKernel, windowed_sum
from underpaint.losses.candidates import soft_cross_entropy
from underpaint.losses.gated_crf import crf_labels
from underpaint.records import UNKNOWN, NetOutput

KERNELS = (GaussianKernel(1.0, 2.0, 0.2),)
RADIUS = 2


def scene(seed: int, n: int = 2, classes: int = 3, h: int = 5, w: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits, hints on some cells, colours and open gates, all on the grid."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, classes, h, w, generator=draw, dtype=torch.float64).mul(2)
    seeds = torch.full((n, h, w), UNKNOWN, dtype=torch.uint8)
    seeds[0, 1, 1], seeds[0, 3, 4], seeds[1, 2, 2] = 0, 2, 1
    rgb = 0.4 + 0.2 * torch.rand(n, 3, h, w, generator=draw, dtype=torch.float64)
    gate = torch.ones(n, h, w, dtype=torch.bool)
    gate[0, :, -1] = False
    return logits, seeds, rgb, gate


def messages(q: np.ndarray, rgb: np.ndarray, gate: np.ndarray) -> np.ndarray:
    """``sum_j K_ij q_j`` of every cell, pair by pair."""
    n, _, h, w = q.shape
    total = np.zeros_like(q)
    for i, r, c, r2, c2 in np.ndindex(n, h, w, h, w):
        if (r, c) == (r2, c2) or max(abs(r - r2), abs(c - c2)) > RADIUS or not (gate[i, r, c] and gate[i, r2, c2]):
            continue
        colour = ((rgb[i, :, r, c] - rgb[i, :, r2, c2]) ** 2).sum()
        total[i, :, r, c] += math.exp(-((r - r2) ** 2 + (c - c2) ** 2) / 8 - colour / 0.08) * q[i, :, r2, c2]
    return total


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def brute(logits: Tensor, seeds: Tensor, rgb: Tensor, gate: Tensor, strength: float, iterations: int) -> np.ndarray:
    z, s, g = logits.numpy(), seeds.numpy(), gate.numpy()

    def keep_hints(q: np.ndarray) -> np.ndarray:
        q = q.copy()
        for i, r, c in np.argwhere(s != UNKNOWN):
            q[i, :, r, c] = np.eye(q.shape[1])[s[i, r, c]]
        return q

    q = keep_hints(softmax(z))
    for _ in range(iterations):
        m = messages(q, rgb.numpy(), g)
        q = keep_hints(softmax(z + strength * m / (1 + m.sum(axis=1, keepdims=True))))
    return np.asarray(q * g[:, None])


def targets(
    logits: Tensor, seeds: Tensor, rgb: Tensor, gate: Tensor, strength: float = 5, iterations: int = 2
) -> Tensor:
    """The labels of a grid that is as fine as the image."""
    return crf_labels(
        logits, seeds, rgb, gate, kernels=KERNELS, radius=RADIUS, strength=strength, iterations=iterations
    )


@pytest.mark.parametrize(("strength", "iterations"), [(5.0, 2), (0.5, 1), (20.0, 4)])
def test_labels_equal_those_of_a_loop_over_all_pairs(strength: float, iterations: int) -> None:
    given_ = scene(3)
    np.testing.assert_allclose(targets(*given_, strength, iterations), brute(*given_, strength, iterations), atol=1e-9)


def test_the_sum_of_neighbours_equals_a_loop() -> None:
    logits, _, rgb, gate = scene(4)
    q = logits.softmax(1)
    found = windowed_sum(q, rgb, kernels=KERNELS, radius=RADIUS, gate=gate)
    np.testing.assert_allclose(found, messages(q.numpy(), rgb.numpy(), gate.numpy()), atol=1e-12)
    single = windowed_sum(q.float(), rgb.float(), kernels=KERNELS, radius=RADIUS, gate=gate)
    np.testing.assert_allclose(single, found, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), strength=st.floats(0.1, 30))
def test_labels_are_distributions_with_the_hints(seed: int, strength: float) -> None:
    logits, seeds, rgb, gate = scene(seed)
    q = targets(logits, seeds, rgb, gate, strength)
    assert torch.allclose(q.sum(1), gate.to(q))
    for i, r, c in (seeds != UNKNOWN).nonzero().tolist():
        assert q[i, int(seeds[i, r, c]), r, c] == 1


def test_a_hint_spreads_over_its_colour_and_not_beyond_the_edge() -> None:
    logits = torch.zeros(1, 2, 1, 8)
    seeds = torch.full((1, 1, 8), UNKNOWN, dtype=torch.uint8)
    seeds[0, 0, 1], seeds[0, 0, 6] = 0, 1
    rgb = torch.zeros(1, 3, 1, 8)
    rgb[..., 4:] = 0.9
    q = targets(logits, seeds, rgb, torch.ones(1, 1, 8, dtype=torch.bool), 10, 5)
    assert q[0].argmax(0)[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def pixels(values: Tensor) -> Tensor:
    """The grid at four times its size."""
    return values.repeat_interleave(4, -2).repeat_interleave(4, -1)


def test_labels_on_a_coarser_grid_are_those_of_the_shrunk_image() -> None:
    logits, seeds, rgb, gate = scene(5)
    np.testing.assert_allclose(
        targets(logits, pixels(seeds), pixels(rgb), pixels(gate)), targets(logits, seeds, rgb, gate), atol=1e-12
    )


def test_the_gradient_of_the_method_is_the_distance_from_the_labels() -> None:
    logits, seeds, rgb, gate = scene(5)
    q = targets(logits, seeds, rgb, gate)
    logits.requires_grad_()
    value = soft_cross_entropy(NetOutput(logits, (5, 6)), q, torch.ones_like(gate))
    value.backward()  # type: ignore[no-untyped-call]
    p = logits.detach().softmax(1)
    assert value.item() == pytest.approx(float(-(q * p.log()).sum(1)[gate].mean()), rel=1e-5)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad, (p - q) * gate[:, None] / gate.sum(), atol=1e-6)


def test_cells_of_padding_have_no_label() -> None:
    logits, seeds, rgb, gate = scene(6)
    assert not targets(logits, seeds, rgb, torch.zeros_like(gate)).any()
    found = targets(logits, seeds, rgb, gate).sum(1)
    assert torch.allclose(found, gate.to(found))
