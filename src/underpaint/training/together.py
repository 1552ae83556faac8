"""Brings the ranks of a training together: those that torchrun or srun started, or processes that this one starts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn
from torch._C._distributed_c10d import FileStore

from underpaint.core.errors import ConfigError, RunError
from underpaint.doctor.estimate import usable_cores
from underpaint.training.config import TrainConfig
from underpaint.training.launched import started_for
from underpaint.training.loop import make_fabric, precision_of
from underpaint.training.processes import Seat, processes
from underpaint.training.ranks import LostError, Ranks, first_line

ARRIVAL = timedelta(minutes=10)
"""Time that ranks have to arrive, and the devices to add up their gradients once all ranks have them."""

PATIENCE = timedelta(days=7)
"""Time that ranks wait for a message: the leader may compute for hours, and a process that ends is noticed at once."""


@contextmanager
def together(config: TrainConfig, follow: Callable[[Seat], None]) -> Iterator[Ranks]:
    """The ranks that the settings ask for, this process among them.

    Args:
        config: Settings of the training.
        follow: What a process does that has to be started: it takes its seat (`seated`) and trains. A function of a
            module, or a `functools.partial` of one.

    Raises:
        ConfigError: There are fewer devices, or the launcher started other processes.
        RunError: A process cannot be started, or ended.
    """
    launch = started_for(config.devices, config.nodes)
    if config.ranks == 1:
        yield Ranks(make_fabric(config))
        return
    _require_devices(config.devices)
    if launch is None:
        with processes(config.devices, follow) as seat, seated(config, seat) as ranks:
            yield ranks
        return
    ranks = _joined(config, TorchElasticEnvironment() if launch.by == "torchrun" else SLURMEnvironment())
    with _failing_together(ranks):
        yield ranks


@contextmanager
def seated(config: TrainConfig, seat: Seat) -> Iterator[Ranks]:
    """The ranks, as one of the processes sees them that were started for a training."""
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    seat.sign.touch()
    store = FileStore(str(seat.meeting), seat.count)
    with _meeting(seat.rank, seat.count):
        torch.distributed.init_process_group(
            backend, store=store, rank=seat.rank, world_size=seat.count, timeout=ARRIVAL
        )
    try:
        ranks = _joined(config, _Seated(seat))
        with _failing_together(ranks):
            yield ranks
    finally:
        torch.distributed.destroy_process_group()


class _Seated(LightningEnvironment):
    """The environment of a process that has a seat, whatever variables the environment holds."""

    def __init__(self, seat: Seat) -> None:
        super().__init__()
        self.seat = seat

    @property
    def creates_processes_externally(self) -> bool:
        return True

    def local_rank(self) -> int:
        return self.seat.rank

    def node_rank(self) -> int:
        return 0


class _Replicas(DDPStrategy):
    """One copy of the network on each device, whose gradients `underpaint.training.summing` adds up."""

    def _configure_launcher(self) -> None:
        """None: the processes are there."""

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]  # see `sum_gradients`
        """The module as it is."""
        return module


def _joined(config: TrainConfig, environment: ClusterEnvironment) -> Ranks:
    """Meet the other ranks."""
    precision: Any = precision_of(config)
    fabric = Fabric(
        accelerator="auto",
        devices=config.devices,
        num_nodes=config.nodes,
        strategy=_Replicas(timeout=ARRIVAL),
        plugins=[environment],
        precision=precision,
    )
    with _meeting(environment.global_rank(), config.ranks), _quiet():
        fabric.launch()
        group = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
    return Ranks(fabric, fabric.global_rank, config.ranks, group)


@contextmanager
def _meeting(rank: int, count: int) -> Iterator[None]:
    """Turn what torch says when processes do not find each other into an error."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(
            f"the processes of the training did not find each other: {first_line(error)}",
            where=f"rank {rank} of {count}",
            fix="check that every machine can reach the first one, and that all processes were started",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the lines that Fabric writes when processes meet; its warnings stay."""
    log = logging.getLogger("lightning_fabric")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _failing_together(ranks: Ranks) -> Iterator[None]:
    """Tell the other ranks what stops this one."""
    try:
        yield
    except Exception as error:
        with suppress(LostError):
            ranks.fail(error)
        raise


def _require_devices(devices: int) -> None:
    """Raise `ConfigError` where this machine has fewer devices."""
    if torch.cuda.is_available():
        there, what = torch.cuda.device_count(), "GPU(s)"
    elif torch.backends.mps.is_available():
        there, what = 1, "GPU"
    else:
        there, what = usable_cores(), "core(s) and no GPU"
    if devices > there:
        raise ConfigError(
            f"train.devices={devices}, and this machine has {there} {what}",
            accepted=f"1 to {there}",
            fix=f"set train.devices={there} or less; the weights stay the same for any number that can share "
            "train.accumulate",
        )
