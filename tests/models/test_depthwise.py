"""Depthwise convolutions under mixed precision."""

from __future__ import annotations

import timm
import torch
from torch import nn

from underpaint.models.depthwise import widen_depthwise


def test_depthwise_convolutions_alone_stay_in_float32() -> None:
    network = timm.create_model("tf_efficientnet_lite0", features_only=True, pretrained=False)
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    before = [feature.clone() for feature in network.eval()(image)]
    widen_depthwise(network)
    seen: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            depthwise = module.groups > 1
            module.register_forward_hook(lambda _, __, out, depthwise=depthwise: seen[depthwise].add(out.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        network(image)
    assert seen == {True: {torch.float32}, False: {torch.bfloat16}}
    assert all(torch.equal(old, new) for old, new in zip(before, network(image), strict=True))
