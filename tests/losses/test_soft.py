"""Cross-entropy against soft labels, against a plain loop."""

from __future__ import annotations

import math

import pytest
import torch

from underpaint.losses.candidates import soft_cross_entropy
from underpaint.records import NetOutput


def test_equals_a_plain_loop_over_cells() -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 2, 3, generator=draw, dtype=torch.float64)
    soft = torch.rand(2, 3, 8, 12, generator=draw, dtype=torch.float64)
    soft /= soft.sum(dim=1, keepdim=True)
    soft[0, :, :4] = 0  # unlabelled
    valid = torch.ones(2, 8, 12, dtype=torch.bool)
    valid[1, :, 8:] = False
    total = weight = 0.0
    for n in range(2):
        for y in range(8):
            for x in range(12):
                z = logits[n, :, y // 4, x // 4].tolist()
                norm = math.log(sum(map(math.exp, z)))
                for k in range(3):
                    share = float(soft[n, k, y, x]) * bool(valid[n, y, x])
                    total -= share * (z[k] - norm)
                    weight += share
    found = soft_cross_entropy(NetOutput(logits, (8, 12)), soft, valid)
    assert float(found) == pytest.approx(total / weight, rel=1e-6)


def test_no_label_is_a_zero_on_the_graph() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    found = soft_cross_entropy(NetOutput(logits, (8, 8)), torch.zeros(1, 3, 8, 8), torch.ones(1, 8, 8) > 0)
    found.backward()  # type: ignore[no-untyped-call]
    assert float(found.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()
