"""Labels are made from the output of the average of the weights if a loss asks for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from underpaint.hints.types import Kind
from underpaint.methods.base import CandidateConfig
from underpaint.methods.gated_crf.method import LATE, GatedCrf, GatedCrfConfig
from underpaint.methods.partial.method import Partial
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.records import Batch, NetOutput, Progress, Terms
from underpaint.testing import CLASSES, SIZE, toy_batch
from underpaint.training.loop import BatchAtStep, LossModule
from underpaint.training.optimise import WeightAverage


class Taught(Partial):
    """Keeps the output from which it makes labels."""

    seen: NetOutput | None = None

    def make_labels(self, out: NetOutput, batch: Batch, progress: Progress) -> Tensor | None:
        self.seen = out
        return None

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        return {"all": out.logits.mean()}


def test_labels_are_made_from_the_average_and_the_network_stays_as_it_is() -> None:
    torch.manual_seed(0)
    network = Network(ModelConfig.parse({"width": 32, "weights": "none"}), 3).train()
    average = WeightAverage(network, 0.5, fresh=False)
    before = {name: value.clone() for name, value in average.state.items()}
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.5)
    method = Taught(CandidateConfig(), CLASSES)
    toy = toy_batch(Kind.SCRIBBLE)
    batch = replace(toy, rgb=toy.rgb[:, :, :32, :32], valid=toy.valid[:, :32, :32])
    terms = LossModule(network, method, average)(BatchAtStep(batch, Progress(0, 10)))
    assert network.training
    assert terms["all"].requires_grad
    assert method.seen is not None
    assert not method.seen.logits.requires_grad
    assert all(torch.equal(before[name], value) for name, value in average.state.items()), "no statistics were updated"

    network.load_state_dict(before)
    with torch.no_grad():
        expected = network.eval().on(batch).logits
    torch.testing.assert_close(method.seen.logits, expected)


@pytest.mark.parametrize(
    ("start", "linear", "first"), [(None, True, 0.0), (None, False, LATE), (0.3, True, 0.3), (0.3, False, 0.3)]
)
def test_gated_crf_makes_labels_from_the_first_step_on_only_after_a_linear_start(
    start: float | None, linear: bool, first: float
) -> None:
    batch = toy_batch(Kind.SCRIBBLE)
    if linear:
        batch = replace(batch, scene=torch.zeros(2, 4))
    method = GatedCrf(GatedCrfConfig(start=start), CLASSES)
    out = NetOutput(torch.zeros(2, 3, SIZE, SIZE), (SIZE, SIZE))
    made = [step for step in range(10) if method.make_labels(out, batch, Progress(step, 10)) is not None]
    assert made == list(range(round(10 * first), 10))
