"""The method keeps the contract of underpaint, and its term is the entropy."""

import math
from dataclasses import replace

import torch
from underpaint_entropy import Entropy, EntropyConfig

from underpaint import check_method
from underpaint.hints.types import Kind
from underpaint.records import NetOutput
from underpaint.testing import CLASSES, LATE, toy_batch


def test_contract() -> None:
    check_method(Entropy)


def test_equal_scores_have_the_greatest_entropy() -> None:
    batch = toy_batch(Kind.CLICK)
    out = NetOutput(logits=torch.zeros(2, 3, 10, 10, requires_grad=True), size=(40, 40))
    terms = Entropy(EntropyConfig(weight=2.0), CLASSES).loss(out, batch, LATE)
    assert math.isclose(terms["entropy"].item(), 2 * math.log(3), rel_tol=1e-6)
    certain = replace(out, logits=100 * torch.eye(3)[0].view(1, 3, 1, 1) + out.logits)
    assert Entropy(EntropyConfig(), CLASSES).loss(certain, batch, LATE)["entropy"].item() < 1e-6
