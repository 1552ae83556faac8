"""Parameter groups, the learning rate's course, the average of the weights, batches in parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from underpaint import plan
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.records import Progress
from underpaint.training.config import TrainConfig
from underpaint.training.optimise import WeightAverage, learning_rate, make_optimiser, set_rate
from underpaint.training.run_folder import read_events


def test_groups_hold_every_trained_parameter_once() -> None:
    network = Network(ModelConfig(), 3, pretrained=False).train()
    optimiser = make_optimiser(network, TrainConfig(lr=0.1, encoder_lr=0.25))
    held = [id(p) for group in optimiser.param_groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(p) for p in network.parameters() if p.requires_grad}
    set_rate(optimiser, 0.1)
    encoder = {id(p) for name, p in network.named_parameters() if name.startswith("encoder.")}
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            assert group["lr"] == pytest.approx(0.025 if id(parameter) in encoder else 0.1)
            assert (group["weight_decay"] > 0) == (parameter.ndim > 1), "norms and biases do not decay"


def test_rate_rises_linearly_then_falls_as_a_power() -> None:
    config = TrainConfig(lr=2.0, warmup=0.1, power=0.9)
    rates = [learning_rate(Progress(step, 100), config) for step in range(100)]
    assert rates[0] == pytest.approx(2.0 / 11)
    assert rates[9] == pytest.approx(2.0 * 10 / 11)
    assert rates[10] == pytest.approx(2.0)
    assert rates[55] == pytest.approx(2.0 * 0.5**0.9)
    assert rates[99] == pytest.approx(2.0 * (1 / 90) ** 0.9)


@pytest.mark.parametrize("fresh", [True, False])
def test_average_follows_its_formula(fresh: bool) -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    average = WeightAverage(layer, 0.9, fresh=fresh)
    expected = 1.0
    for step in range(200):
        with torch.no_grad():
            layer.weight.fill_(float(step))
        average.update(layer, step)
        decay = min(0.9, (1 + step) / (10 + step)) if fresh else 0.9
        expected = decay * expected + (1 - decay) * step
    assert float(average.state["weight"]) == pytest.approx(expected, rel=1e-5)


def test_a_batch_in_parts_sees_the_same_images(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path) -> None:
    """Frozen norms make the loss of a batch the mean of its parts', up to the number of labelled pixels in each."""
    values = []
    for parts in (1, 2):
        run = tmp_path / str(parts)
        overrides = [*small, "train.epochs=0.25", "train.batch=4", f"train.accumulate={parts}"]
        plan(scenes, hints=[scribbles], method="partial", settings=overrides).train(run)
        values.append(next(event["loss/seeds"] for event, _ in read_events(run / "events.jsonl")))
    assert values[0] == pytest.approx(values[1], rel=0.5)
