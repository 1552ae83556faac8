"""Class activation maps that a loss needs: computed by the frame, without gradient, with the network left unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config
from underpaint.hints.types import Kind
from underpaint.methods.about import Reference
from underpaint.methods.base import Method
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.models.responses import response_maps
from underpaint.records import Batch, Head, NetOutput, Progress, Terms
from underpaint.testing import toy_batch
from underpaint.training.config import TrainConfig
from underpaint.training.loop import BatchAtStep, LossModule, make_fabric


class Looker(Method[Config]):
    """Keeps what it is given."""

    name: ClassVar[str] = "mapped"
    reference: ClassVar[Reference | None] = None
    accepts: ClassVar[frozenset[Kind]] = frozenset({Kind.TAG})
    summary: ClassVar[str] = "for tests"
    Settings: ClassVar[type[Config]] = Config
    given: Tensor | None = None

    def response_scales(self, progress: Progress) -> tuple[float, ...]:
        return (0.5, 1.0) if progress.step else ()

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        self.given = out.responses
        return {"all": out.logits.mean()}


class Keeper(Looker):
    """Stores the batch and computes nothing from it."""

    batch: Batch | None = None

    def response_scales(self, progress: Progress) -> tuple[float, ...]:
        return ()

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        self.batch = batch
        return {"all": out.logits.float().mean()}


def wide_batch() -> Batch:
    """Two toy photographs of 64 x 64 pixels, which the network accepts."""
    toy = toy_batch(Kind.TAG)
    return replace(toy, rgb=toy.rgb.repeat(1, 1, 2, 2)[:, :, :64, :64], valid=toy.valid.repeat(1, 2, 2)[:, :64, :64])


def test_maps_are_computed_where_a_loss_needs_them() -> None:
    torch.manual_seed(0)
    config = ModelConfig.parse({"width": 32, "weights": "none", "freeze_batch_norm": True})
    network = Network(config, 3, needs={Head.TAGS}).train()
    method = Looker(Config(), ClassTable.of(("background", "disc", "bar")))
    module = LossModule(network, method)
    batch = wide_batch()
    module(BatchAtStep(batch, Progress(0, 10)))
    assert method.given is None, "no maps before they are needed"

    before = {name: value.clone() for name, value in network.state_dict().items() if "running" in name}
    module(BatchAtStep(batch, Progress(1, 10)))
    given: Tensor | None = method.given
    assert given is not None
    assert not given.requires_grad
    assert given.shape == (2, 3, 16, 16)
    assert network.training
    encoder = [name for name in before if name.startswith("encoder")]
    assert all(torch.equal(before[name], network.state_dict()[name]) for name in encoder)
    expected = response_maps(network, batch.image, scales=(1.0, 0.5), flip=False, size=(16, 16))
    torch.testing.assert_close(given, expected, rtol=1e-3, atol=1e-4)


def test_a_batch_is_not_rounded_to_the_arithmetic_of_the_training() -> None:
    """In bfloat16 a box's corner at 301 pixels would be at 300 or 302."""
    fabric = make_fabric(TrainConfig(precision="bf16-mixed"))
    network = Network(ModelConfig(width=32, weights="none"), 3)
    method = Keeper(Config(), ClassTable.of(("background", "disc", "bar")))
    batch = replace(wide_batch(), boxes=(torch.tensor([[0.3, 1.7, 301.0, 40.0]]),) * 2)
    fabric.setup(LossModule(network, method))(BatchAtStep(batch, Progress(0, 1)))
    assert method.batch is not None
    for name in ("rgb", "image", "boxes"):
        torch.testing.assert_close(getattr(method.batch, name), getattr(batch, name), rtol=0, atol=0)
