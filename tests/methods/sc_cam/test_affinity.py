"""Pairs and their loss against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from underpaint.hints.rasterise import UNKNOWN
from underpaint.methods.sc_cam.labels import affinity_labels
from underpaint.methods.sc_cam.losses import affinity_loss


def test_labels_take_objects_from_one_crf_and_background_from_the_other() -> None:
    strict = np.array([[[0.9, 0.2, 0.2]], [[0.1, 0.8, 0.8]]], np.float32)
    loose = np.array([[[0.4, 0.1, 0.9]], [[0.6, 0.9, 0.1]]], np.float32)
    assert affinity_labels(strict, loose, [0, 4], 0).tolist() == [[255, 4, 0]]
    assert affinity_labels(strict, None, [2, 4], None).tolist() == [[2, 4, 4]]


def plain(embedding: torch.Tensor, labels: torch.Tensor, background: int | None, radius: int, form: str) -> float:
    kinds: dict[str, list[float]] = {"bg": [], "fg": [], "neg": []}
    n, _, height, width = embedding.shape
    cells = [(y, x) for y in range(height) for x in range(width)]
    for i in range(n):
        for y, x in cells:
            for v, u in cells:
                ahead = v > y or (v == y and u > x)
                if not ahead or (v - y) ** 2 + (u - x) ** 2 >= radius**2:
                    continue
                one, two = int(labels[i, y, x]), int(labels[i, v, u])
                if UNKNOWN in (one, two):
                    continue
                if form == "feature":
                    a = math.exp(-float((embedding[i, :, y, x] - embedding[i, :, v, u]).abs().mean()))
                else:
                    path = [
                        (p, q)
                        for p in range(min(y, v), max(y, v) + 1)
                        for q in range(min(x, u), max(x, u) + 1)
                        if ((v - y) * (q - x) - (u - x) * (p - y)) ** 2 < (v - y) ** 2 + (u - x) ** 2
                    ]
                    a = 1 - max(float(embedding[i, 0, p, q].sigmoid()) for p, q in path)
                if one != two:
                    kinds["neg"].append(-math.log(1 + 1e-5 - a))
                else:
                    kinds["bg" if one == background else "fg"].append(-math.log(a + 1e-5))
    mean = {kind: sum(values) / max(len(values), 1) for kind, values in kinds.items()}
    if background is None:
        return mean["fg"] / 2 + mean["neg"] / 2
    return mean["bg"] / 4 + mean["fg"] / 4 + mean["neg"] / 2


@pytest.mark.parametrize("form", ["feature", "boundary"])
@pytest.mark.parametrize("background", [0, None])
def test_loss_equals_a_loop_over_all_pairs(form: str, background: int | None) -> None:
    draw = torch.Generator().manual_seed(0)
    embedding = torch.randn(2, 3, 5, 6, generator=draw)
    labels = torch.randint(0, 3, (2, 5, 6), generator=draw).byte()
    labels[0, :2] = UNKNOWN
    found = affinity_loss(
        embedding, labels, background=background, form="feature" if form == "feature" else "boundary", radius=3
    )
    assert float(found) == pytest.approx(plain(embedding, labels, background, 3, form), rel=1e-4)


def test_no_pair_is_a_zero_on_the_graph() -> None:
    embedding = torch.randn(1, 2, 4, 4, requires_grad=True)
    labels = torch.full((1, 4, 4), UNKNOWN, dtype=torch.uint8)
    labels[0, 0, 0] = 1
    loss = affinity_loss(embedding, labels, background=0, form="feature", radius=3)
    torch.autograd.backward(loss)
    assert float(loss.detach()) == 0
    assert embedding.grad is not None
    assert not embedding.grad.any()
