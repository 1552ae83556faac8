"""The embedding that is linear in a frozen encoder's features."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from underpaint.models.config import ModelConfig
from underpaint.models.embedding import LinearEmbedding
from underpaint.models.network import Network
from underpaint.records import Head


def test_it_is_a_sum_of_linear_maps_of_standardised_levels() -> None:
    torch.manual_seed(0)
    made = LinearEmbedding([3, 5, 7, 11]).train()
    levels = [torch.zeros(2, 3, 32, 32), torch.zeros(2, 5, 16, 16), torch.randn(2, 7, 8, 6) * 3 + 5]
    levels.append(torch.randn(2, 11, 4, 3))
    total = torch.zeros(2, 64, 8, 6)
    for level, part in zip(levels[2:], made.parts, strict=True):
        mean, spread = level.mean(dim=(0, 2, 3)), level.var(dim=(0, 2, 3), unbiased=False)
        held = (level - mean[:, None, None]) / (spread[:, None, None] + 1e-5).sqrt()
        weight = part.get_parameter("weight")[:, :, 0, 0]
        total += F.interpolate(torch.einsum("ef,nfhw->nehw", weight, held), (8, 6), mode="bilinear")
    torch.testing.assert_close(made(levels), total, atol=1e-5, rtol=1e-4)


def test_a_frozen_network_learns_its_embedding_alone() -> None:
    config = ModelConfig.parse({"encoder": "test_efficientnet", "weights": "none", "freeze_batch_norm": False})
    network = Network(config, 3, needs={Head.EMBEDDING}, decodes=False, frozen=True).train()
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    out = network(torch.randn(2, 3, 64, 96))
    assert out.embedding is not None
    assert out.embedding.shape == (2, 64, 4, 6)
    out.embedding.square().mean().backward()
    learning = {name.partition(".")[0] for name, value in network.named_parameters() if value.grad is not None}
    assert learning == {"embedding_head"}
    assert all(torch.equal(before[name], value) for name, value in network.encoder.state_dict().items())
