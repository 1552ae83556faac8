"""RRM's losses: halves that weigh the same, and an energy that no grid, crop or padding changes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from underpaint.kernels.bilateral.coordinates import image_features
from underpaint.kernels.bilateral.lattice_torch import TorchLattice
from underpaint.methods.rrm.losses import gated_dense_energy, split_cross_entropy
from underpaint.records import NetOutput

DRAW = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 3, 8, 10, generator=DRAW)
RGB = torch.rand(2, 3, 8, 10, generator=DRAW)


def energy(logits: torch.Tensor, rgb: torch.Tensor, valid: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return gated_dense_energy(logits, rgb, valid, labels, sigma_xy=6.0, sigma_rgb=0.3, gradient="exact")


def test_background_and_objects_are_means_over_their_own_pixels() -> None:
    labels = torch.full((2, 8, 10), 255, dtype=torch.uint8)
    labels[0, 2, 3], labels[1, :3] = 2, 1
    labels[0, 4:] = 0
    out = NetOutput(LOGITS, (8, 10))
    behind, objects = split_cross_entropy(out, labels, background=0)
    minus = -LOGITS.log_softmax(dim=1)
    torch.testing.assert_close(behind, minus[0, 0, 4:].mean())
    torch.testing.assert_close(objects, (minus[0, 2, 2, 3] + minus[1, 1, :3].sum()) / 31)
    none, all_of_them = split_cross_entropy(out, labels, background=None)
    assert float(none) == 0
    torch.testing.assert_close(all_of_them, F.cross_entropy(LOGITS, labels.long(), ignore_index=255))


def test_energy_is_the_gated_sum_over_pixels_and_reach() -> None:
    labels = torch.full((2, 8, 10), 255, dtype=torch.uint8)
    labels[0, :4] = 1
    p = LOGITS.softmax(dim=1)
    lattices = [TorchLattice.build(image_features(image, sigma_xy=6.0, sigma_rgb=0.3)) for image in RGB]
    affine = torch.stack([lattice.filter(q.flatten(1)).view_as(q) for lattice, q in zip(lattices, p, strict=True)])
    total = 0.0
    for n in range(2):
        for y in range(8):
            for x in range(10):
                gate = 1.0 if labels[n, y, x] == 255 else 1 - float(p[n, :, y, x].max())
                total -= gate * float((p[n, :, y, x] * affine[n, :, y, x]).sum())
    found = energy(LOGITS, RGB, torch.ones(2, 8, 10) > 0, labels)
    assert float(found) == pytest.approx(total / (160 * 36), rel=1e-4)


def test_padding_changes_neither_value_nor_gradient() -> None:
    labels = torch.full((2, 8, 10), 255, dtype=torch.uint8)
    inner, outer = LOGITS.clone().requires_grad_(), F.pad(LOGITS, (0, 4, 0, 4), value=2.0).requires_grad_()
    one = energy(inner, RGB, torch.ones(2, 8, 10) > 0, labels)
    valid = F.pad(torch.ones(2, 8, 10), (0, 4, 0, 4)) > 0
    two = energy(outer, F.pad(RGB, (0, 4, 0, 4)), valid, F.pad(labels, (0, 4, 0, 4), value=255))
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)
    torch.autograd.backward(one + two)
    assert inner.grad is not None
    assert outer.grad is not None
    torch.testing.assert_close(inner.grad, outer.grad[:, :, :8, :10], rtol=1e-3, atol=1e-6)
    assert not outer.grad[:, :, 8:].any()


def test_nothing_valid_is_a_zero_on_the_graph() -> None:
    loss = energy(LOGITS.clone().requires_grad_(), RGB, torch.zeros(2, 8, 10) > 0, torch.zeros(2, 8, 10).byte())
    assert float(loss.detach()) == 0
    assert loss.requires_grad
