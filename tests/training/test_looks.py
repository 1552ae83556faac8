"""Response maps that a loss asks for: taken by the frame, without gradient, leaving the network as it was."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config
from underpaint.hints.types import Kind
from underpaint.methods.base import Method, Reference
from underpaint.models.network import ModelConfig, Network
from underpaint.models.responses import response_maps
from underpaint.records import Batch, Head, NetOutput, Progress, Terms
from underpaint.testing import toy_batch
from underpaint.training.loop import LossModule


class Looker(Method[Config]):
    """Keeps what it is given."""

    name: ClassVar[str] = "looker"
    reference: ClassVar[Reference | None] = None
    accepts: ClassVar[frozenset[Kind]] = frozenset({Kind.TAG})
    summary: ClassVar[str] = "for tests"
    Settings: ClassVar[type[Config]] = Config
    given: Tensor | None = None

    def looks(self, progress: Progress) -> tuple[float, ...]:
        return (0.5, 1.0) if progress.step else ()

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        self.given = out.responses
        return {"all": out.logits.mean()}


def test_looks_are_taken_where_asked_for() -> None:
    torch.manual_seed(0)
    config = ModelConfig.parse({"width": 32, "weights": "none", "freeze_batch_norm": True})
    network = Network(config, 3, needs={Head.TAGS}).train()
    method = Looker(Config(), ClassTable.of(("background", "disc", "bar")))
    module = LossModule(network, method)
    toy = toy_batch(Kind.TAG)
    fields = {**vars(toy), "rgb": toy.rgb.repeat(1, 1, 2, 2)[:, :, :64, :64], "valid": toy.valid.repeat(1, 2, 2)}
    fields["valid"] = fields["valid"][:, :64, :64]
    batch = Batch(**fields)
    module(fields, (0, 10, "train"))
    assert method.given is None, "no look before it is asked for"

    before = {name: value.clone() for name, value in network.state_dict().items() if "running" in name}
    module(fields, (1, 10, "train"))
    given: Tensor | None = method.given
    assert given is not None
    assert not given.requires_grad
    assert given.shape == (2, 3, 16, 16)
    assert network.training
    encoder = [name for name in before if name.startswith("encoder")]
    assert all(torch.equal(before[name], network.state_dict()[name]) for name in encoder)
    expected = response_maps(network, batch.image, scales=(1.0, 0.5), flip=False, size=(16, 16))
    torch.testing.assert_close(given, expected, rtol=1e-3, atol=1e-4)
