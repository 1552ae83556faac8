"""The processes that one process starts on its machine to train with it, and how it notices that one ended.

`lightning_fabric` can start processes too, by running the command line again. Where underpaint is used as a library,
that would run the caller's whole script once for each device, and a notebook has no command line. So the processes are
those of `underpaint.core.worker`: each gets the training as a message, and ends with this process, however that ends.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import torch

from underpaint.core.errors import RunError
from underpaint.core.stop import stopping_raises
from underpaint.core.worker import GRACE, Worker
from underpaint.kernels.threads import torch_threads
from underpaint.training.ranks import LostError

POLL_SECONDS = 0.25
"""Seconds between two checks that the processes are alive."""

LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
"""Network interface over which processes of one machine talk, so that no other machine can reach them."""


@dataclass(frozen=True)
class LocalRank:
    """The rank of a process of this machine, which one of them started.

    Args:
        rank: Number of the process, 0 to ``count`` - 1.
        count: Number of all processes.
        rendezvous: File through which the processes find each other.
    """

    rank: int
    count: int
    rendezvous: Path

    @property
    def ready_file(self) -> Path:
        """File that exists if the process is ready to connect to the others."""
        return self.rendezvous.with_name(f"ready-{self.rank}")


@contextmanager
def processes(count: int, follow: Callable[[LocalRank], None]) -> Iterator[LocalRank]:
    """Start all other processes and yield the rank of this one, 0. The processes end with the block.

    Args:
        count: Number of processes.
        follow: What the others do; a function of a module, or a `functools.partial` of one.

    Raises:
        RunError: A process cannot be started, or ended.
    """
    threads = max(1, torch.get_num_threads() // count)
    members: list[Worker] = []
    with tempfile.TemporaryDirectory() as folder, _loopback(), torch_threads(threads), stopping_raises():
        places = [LocalRank(rank, count, Path(folder) / "rendezvous") for rank in range(count)]
        try:
            for local in places[1:]:
                members.append(_worker(follow, threads))
                members[-1].give(local.rank, [local])
            _await(members, places[1:])
            with _naming_the_lost(members):
                yield places[0]
        finally:
            _end(members)


def _worker(follow: Callable[[LocalRank], None], threads: int) -> Worker:
    try:
        return Worker(follow, threads)
    except OSError as error:
        raise RunError(
            f"no further process can be started: {error.strerror or error}",
            fix="raise the limits of the system (ulimit -u, ulimit -n) or lower train.devices",
        ) from None


def _await(members: list[Worker], places: list[LocalRank]) -> None:
    """Wait until the processes have imported what they need and read the training: nobody waits for one that cannot.

    Raises:
        RunError: One of them ended.
        Exception: What one of them raised.
    """
    while not all(local.ready_file.exists() for local in places):
        wait([member.connection for member in members], POLL_SECONDS)
        for member in members:
            try:
                for _, answer in member.answers():
                    if isinstance(answer, Exception):
                        raise answer
            except EOFError:
                raise RunError(
                    f"a process of the training could not start: {member.exit_reason()}",
                    fix="free some memory, or lower train.devices",
                ) from None


@contextmanager
def _naming_the_lost(members: list[Worker]) -> Iterator[None]:
    """Say which process ended and how, where the connection to one broke."""
    try:
        yield
    except LostError as error:
        found = _lost(members)
        if found is None:
            raise
        raise RunError(found, fix=error.fix) from error


def _lost(members: list[Worker]) -> str | None:
    """How the first process that ended did so, or what it raised; None if all are alive."""
    ends = time.monotonic() + GRACE
    while time.monotonic() < ends:
        for rank, member in enumerate(members, start=1):
            try:
                failed = [answer for _, answer in member.answers() if isinstance(answer, Exception)]
            except EOFError:
                return f"rank {rank} of the training, a process, ended: {member.exit_reason()}"
            if failed and not isinstance(failed[0], LostError):
                return f"rank {rank} of the training failed: {failed[0]}"
        time.sleep(POLL_SECONDS / 10)
    return None


def _end(members: list[Worker]) -> None:
    """Let the processes end their work, which they do at their next message at the latest, and then end them."""
    ends = time.monotonic() + GRACE
    try:
        while (busy := [member for member in members if _works(member)]) and time.monotonic() < ends:
            wait([member.connection for member in busy], POLL_SECONDS)
    finally:  # also of a second Ctrl-C
        for member in members:
            member.close()


def _works(member: Worker) -> bool:
    with suppress(EOFError):
        list(member.answers())
        return bool(member.chunks)
    return False


@contextmanager
def _loopback() -> Iterator[None]:
    """Let gloo use the loopback interface, unless the environment names another."""
    name = "GLOO_SOCKET_IFNAME"
    if name in os.environ:
        yield
        return
    os.environ[name] = LOOPBACK
    try:
        yield
    finally:
        del os.environ[name]
