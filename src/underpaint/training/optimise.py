"""Parameter groups, the learning rate of a step, and the average of the weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from underpaint.models.network import Network
from underpaint.records import Progress
from underpaint.training.config import TrainConfig


def make_optimiser(network: Network, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW with four groups: encoder and the rest, each with and without weight decay, without frozen parameters."""
    groups = []
    for part, factor in (("encoder", config.encoder_lr), ("rest", 1.0)):
        named = [
            (n, p)
            for n, p in network.named_parameters()
            if p.requires_grad and n.startswith("encoder.") == (part == "encoder")
        ]
        for decayed in (True, False):
            chosen = [p for _, p in named if (p.ndim > 1) == decayed]
            if chosen and factor > 0:
                decay = config.weight_decay if decayed else 0.0
                groups.append({"params": chosen, "lr": 0.0, "factor": factor, "weight_decay": decay})
    return torch.optim.AdamW(groups)


def learning_rate(progress: Progress, config: TrainConfig) -> float:
    """Rise linearly from 0 in the warm-up, then fall as ``lr (1 - t)^power`` with t from 0 to 1 over the rest."""
    warm = config.warmup * progress.steps
    if progress.step < warm:
        return config.lr * (progress.step + 1) / (warm + 1)
    t = (progress.step - warm) / max(progress.steps - warm, 1)
    return float(config.lr * (1 - t) ** config.power)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group to ``rate`` times the factor of the group."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]


class WeightAverage:
    """Exponential moving average of a network's state (Polyak and Juditsky 1992).

    If ``fresh``, the decay is at first only (1 + step) / (10 + step), so that the random initial weights soon have no
    influence. Integer tensors, such as counters, are copied.

    Args:
        network: The network whose state is averaged.
        decay: Decay of the average, 0 to 1.
        fresh: Whether the network starts from random weights.
    """

    def __init__(self, network: nn.Module, decay: float, *, fresh: bool = True) -> None:
        self.decay, self.fresh = decay, fresh
        self.state: dict[str, Tensor] = {name: value.detach().clone() for name, value in network.state_dict().items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over a state. The tensors keep their strides, on which the last bits of a convolution depend."""
        for name, value in state.items():
            self.state[name].copy_(value)

    def to(self, device: torch.device) -> None:
        """Move the state to the device of the network."""
        self.state = {name: value.to(device) for name, value in self.state.items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Update the average with the network's weights after step ``step``."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.fresh else self.decay
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)
