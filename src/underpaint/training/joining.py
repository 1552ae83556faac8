"""Connects the ranks of a training: those that torchrun or srun started, or processes that this one starts."""

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
from underpaint.training.processes import LocalRank, processes
from underpaint.training.ranks import LostError, Ranks, first_line

JOIN_TIMEOUT = timedelta(minutes=10)
"""Time for all ranks to connect, and for one sum of the gradients, which all ranks begin at the same time."""

MESSAGE_TIMEOUT = timedelta(days=7)
"""Time that ranks wait for a message. The leader may compute for hours, and a process that ends is noticed at once."""


@contextmanager
def joined_ranks(config: TrainConfig, follow: Callable[[LocalRank], None]) -> Iterator[Ranks]:
    """The ranks that the settings ask for, this process among them.

    Args:
        config: Settings of the training.
        follow: Run by each process that is started here: it calls `join_local_rank` and trains. A function of a module,
            or a `functools.partial` of one.

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
        with processes(config.devices, follow) as local, join_local_rank(config, local) as ranks:
            yield ranks
        return
    with _connected(config, TorchElasticEnvironment() if launch.by == "torchrun" else SLURMEnvironment()) as ranks:
        yield ranks


@contextmanager
def join_local_rank(config: TrainConfig, local: LocalRank) -> Iterator[Ranks]:
    """Connect a process that was started on this machine to the others."""
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    local.ready_file.touch()
    store = FileStore(str(local.rendezvous), local.count)
    with _join_errors(local.rank, local.count):
        torch.distributed.init_process_group(
            backend, store=store, rank=local.rank, world_size=local.count, timeout=JOIN_TIMEOUT
        )
    with _connected(config, _LocalEnvironment(local)) as ranks:
        yield ranks


@contextmanager
def _connected(config: TrainConfig, environment: ClusterEnvironment) -> Iterator[Ranks]:
    """The ranks, whose connections are closed at the end.

    Threads of gloo that still run when Python ends abort the process, after a training that has succeeded.
    """
    try:
        ranks = _join(config, environment)
        with _shared_errors(ranks):
            yield ranks
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


class _LocalEnvironment(LightningEnvironment):
    """The rank of a process that was started here. Variables of the environment are not used."""

    def __init__(self, local: LocalRank) -> None:
        super().__init__()
        self.local = local

    @property
    def creates_processes_externally(self) -> bool:
        return True

    def local_rank(self) -> int:
        return self.local.rank

    def node_rank(self) -> int:
        return 0


class _Replicas(DDPStrategy):
    """One copy of the network on each device, whose gradients `underpaint.training.summing` adds up."""

    def _configure_launcher(self) -> None:
        """No launcher: the processes are already running."""

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]  # see `sum_gradients`
        """The module as it is."""
        return module


def _join(config: TrainConfig, environment: ClusterEnvironment) -> Ranks:
    """Connect to the other ranks."""
    precision: Any = precision_of(config)
    fabric = Fabric(
        accelerator="auto",
        devices=config.devices,
        num_nodes=config.nodes,
        strategy=_Replicas(timeout=JOIN_TIMEOUT),
        plugins=[environment],
        precision=precision,
    )
    with _join_errors(environment.global_rank(), config.ranks), _quiet():
        fabric.launch()
        group = torch.distributed.new_group(backend="gloo", timeout=MESSAGE_TIMEOUT)
    return Ranks(fabric, fabric.global_rank, config.ranks, group)


@contextmanager
def _join_errors(rank: int, count: int) -> Iterator[None]:
    """Turn the errors of torch for processes that do not find each other into one error."""
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
    """Suppress the lines that Fabric logs when processes connect, but not its warnings."""
    log = logging.getLogger("lightning_fabric")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _shared_errors(ranks: Ranks) -> Iterator[None]:
    """Send an error that stops this rank to the other ranks."""
    try:
        yield
    except Exception as error:
        with suppress(LostError):
            ranks.share_error(error)
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
