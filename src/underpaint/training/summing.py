"""What one optimiser step of several ranks adds up: gradients, and the running statistics of batch normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from underpaint.training.ranks import Ranks


def sum_gradients(network: nn.Module, ranks: Ranks) -> None:
    """Add the gradients of all ranks up, in place. A parameter that has a gradient on no rank keeps none.

    `torch.nn.parallel.DistributedDataParallel` is not used: it looks for parameters without gradient in the graph of
    one forward pass, and here some parts of a batch may give a head a gradient and others none. Keeping none matters
    because the optimiser gives weight decay to parameters whose gradient is 0.
    """
    if ranks.count == 1:
        return
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    held = [torch.zeros_like(one) if one.grad is None else one.grad for one in learned]
    has = torch.tensor([float(one.grad is not None) for one in learned], device=held[0].device, dtype=held[0].dtype)
    *sums, had = ranks.sum_over_ranks([*held, has], "the sum of the gradients")
    for parameter, gradient, total, known in zip(learned, held, sums, had.tolist(), strict=True):
        if known:
            parameter.grad = gradient.copy_(total)


class RunningStatistics:
    """The running means and variances of a network's batch normalisation at the beginning of an optimiser step.

    One process updates them part after part: ``r <- (1 - m) r + m s`` with the statistics s of a part and the momentum
    m. Ranks update them from the same start at the same time. Since the update is linear, the result of one process is
    the start times ``(1 - m)^K`` for K updates, plus what each rank added, times ``(1 - m)`` for every update of the
    ranks behind it.

    Args:
        network: The network, in training mode.
        ranks: The ranks. One alone has nothing to keep or merge.
    """

    def __init__(self, network: nn.Module, ranks: Ranks) -> None:
        self.ranks = ranks
        self.layers = [layer for layer in network.modules() if _learns_statistics(layer)] if ranks.count > 1 else []
        self.before = [tuple(buffer.clone() for buffer in _buffers(layer)) for layer in self.layers]

    def restore(self) -> None:
        """Go back to the beginning of the step, which is skipped."""
        for layer, held in zip(self.layers, self.before, strict=True):
            for buffer, value in zip(_buffers(layer), held, strict=True):
                buffer.copy_(value)

    def merge(self) -> None:
        """Set the statistics of every rank to those of one process that computed all parts in order."""
        if not self.layers:
            return
        pairs = zip(self.layers, self.before, strict=True)
        added = [each for layer, held in pairs for each in self._added(layer, held)]
        sums = iter(self.ranks.sum_over_ranks(added, "the statistics of batch normalisation"))
        for layer, held in zip(self.layers, self.before, strict=True):
            updates = self._updates(layer, held) * self.ranks.count
            kept = (1 - _momentum(layer)) ** updates
            for buffer, value in zip(_buffers(layer)[:2], held[:2], strict=True):
                buffer.copy_(kept * value.double() + next(sums))
            _buffers(layer)[2].copy_(held[2] + updates)

    def _added(self, layer: nn.Module, held: tuple[Tensor, ...]) -> list[Tensor]:
        """What the parts of this rank add to mean and variance, as it is after the parts of all ranks."""
        updates, keeps = self._updates(layer, held), 1 - _momentum(layer)
        behind = keeps ** (updates * (self.ranks.count - 1 - self.ranks.rank))
        pairs = zip(_buffers(layer)[:2], held[:2], strict=True)
        return [behind * (now.double() - keeps**updates * then.double()) for now, then in pairs]

    @staticmethod
    def _updates(layer: nn.Module, held: tuple[Tensor, ...]) -> int:
        """Number of updates of this rank in the step."""
        return int(_buffers(layer)[2] - held[2])


def _learns_statistics(layer: nn.Module) -> bool:
    return isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.training and layer.track_running_stats


def _buffers(layer: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """Running mean, running variance, and the number of updates."""
    assert isinstance(layer, nn.modules.batchnorm._BatchNorm)
    mean, variance, count = layer.running_mean, layer.running_var, layer.num_batches_tracked
    assert mean is not None
    assert variance is not None
    assert count is not None
    return mean, variance, count


def _momentum(layer: nn.Module) -> float:
    assert isinstance(layer, nn.modules.batchnorm._BatchNorm)
    assert layer.momentum is not None  # it would be a mean over all batches
    return layer.momentum
