"""How this process was started: by itself, or as one of several by torchrun or srun. It is found out without torch."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from underpaint.core.errors import ConfigError


@dataclass(frozen=True)
class Launch:
    """The place of this process among those that a launcher started for one training.

    Args:
        by: The launcher.
        rank: Number of this process, 0 to ``count`` - 1.
        count: Number of processes.
        nodes: Number of machines.
    """

    by: Literal["torchrun", "srun"]
    rank: int
    count: int
    nodes: int


def launched(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """What a launcher says in the environment; None without a launcher, or if it started one process alone.

    Sources: the environment variables that the documentation of torchrun and of srun list.
    """
    names: tuple[str, str, str]
    if "TORCHELASTIC_RUN_ID" in environment:
        by: Literal["torchrun", "srun"] = "torchrun"
        names = ("RANK", "WORLD_SIZE", "GROUP_WORLD_SIZE")
    else:
        by = "srun"  # the variables of a step: a batch script has SLURM_NTASKS too, but is one process
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES")
    try:
        rank, count, nodes = (int(environment[name]) for name in names)
    except (KeyError, ValueError):
        return None
    return Launch(by, rank, count, nodes) if count > 1 else None


def log_errors_only() -> None:
    """Log only errors in this process. The leader logs the rest."""
    logging.getLogger("underpaint").setLevel(logging.ERROR)


def started_for(devices: int, nodes: int, environment: Mapping[str, str] = os.environ) -> Launch | None:
    """The launch of a training on so many devices of each of so many machines; None if nobody launched its processes.

    Raises:
        ConfigError: The launcher started another number of processes than the settings say, or several machines are
            asked for without a launcher.
    """
    launch, count = launched(environment), devices * nodes
    if launch is None or (launch.by == "srun" and count == 1):  # srun may start trainings that are independent
        if nodes > 1:
            raise ConfigError(
                f"train.nodes={nodes} needs a process for each device of each machine, and none were launched",
                fix="start the command with torchrun or srun on every machine (docs/scale.md), or set train.nodes=1",
            )
        return None
    if (launch.count, launch.nodes) != (count, nodes):
        raise ConfigError(
            f"{launch.by} started {launch.count} processes on {launch.nodes} machine(s), and the settings say "
            f"train.devices={devices} on train.nodes={nodes}",
            fix=f"set train.devices={launch.count // launch.nodes} and train.nodes={launch.nodes}, or launch "
            f"{count} process(es)",
        )
    if launch.by == "srun" and "SLURM_NTASKS_PER_NODE" not in environment:
        raise ConfigError(
            "srun does not say how many processes each machine has",
            fix=f"give --ntasks-per-node={devices} to sbatch or srun",
        )
    return launch
