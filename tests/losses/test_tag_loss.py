"""Losses on tags against torch's own and a plain loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from underpaint.losses.tags import class_tag_loss, tag_loss
from underpaint.methods.sc_cam.losses import subtag_loss

DRAW = torch.Generator().manual_seed(0)
SCORES = torch.randn(4, 5, generator=DRAW)
TAGS = torch.rand(4, 5, generator=DRAW) > 0.5
KNOWN = torch.rand(4, 5, generator=DRAW) > 0.3


def test_complete_tags_give_the_multi_label_soft_margin() -> None:
    found = tag_loss(SCORES, TAGS, torch.ones_like(TAGS))
    torch.testing.assert_close(found, F.multilabel_soft_margin_loss(SCORES, TAGS.float()))


def test_unknown_tags_and_the_background_are_left_out() -> None:
    parts = []
    for n in range(4):
        for c in range(5):
            if KNOWN[n, c] and c != 2:
                x = float(SCORES[n, c]) * (1 if TAGS[n, c] else -1)
                parts.append(math.log1p(math.exp(-x)))
    found = class_tag_loss(SCORES, TAGS, KNOWN, background=2)
    assert float(found) == pytest.approx(sum(parts) / len(parts), rel=1e-5)
    assert KNOWN[:, 2].any(), "the mask that was given is left as it is"


def test_nothing_known_is_a_zero_on_the_graph() -> None:
    scores = SCORES.clone().requires_grad_()
    for loss in (tag_loss(scores, TAGS, torch.zeros_like(TAGS)), subtag_loss(scores[:, :, None], None)):
        assert float(loss.detach()) == 0
        assert loss.requires_grad


def test_one_sub_category_a_class_is_the_loss_of_the_classes() -> None:
    subtags = torch.where(KNOWN, TAGS.long(), -1).to(torch.int8)
    torch.testing.assert_close(subtag_loss(SCORES[:, :, None], subtags[:, :, None]), tag_loss(SCORES, TAGS, KNOWN))
