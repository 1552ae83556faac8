"""Preparation of a compiled kernel before a call: the number of threads, and a message if it has to be compiled first.

The module `machine_code` decides where machine code is stored.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from underpaint.core.errors import RunError

_log = logging.getLogger("underpaint")
_announced: set[str] = set()
_launched_in: set[int] = set()


def prepare(function: Callable[..., Any], *, purpose: str, seconds: int) -> int:
    """Prepare the call of a parallel numba function; returns the number of threads that it will use.

    The number is that of ``torch.get_num_threads()`` (so the worker of a data loader gets one thread), but at most
    ``NUMBA_NUM_THREADS``. The first call after an install compiles the function, and one message on the logger
    ``underpaint`` says so. Later processes read numba's cache and start at once.

    Args:
        function: The compiled function that will be called.
        purpose: What the function computes, for the message.
        seconds: About how long it takes to compile on one core of a laptop.

    Raises:
        RunError: this process was forked from one that had already run a kernel; OpenMP would end it.
    """
    import numba  # takes long to import, and few commands need it

    _refuse_fork()
    _announce(function, purpose, seconds)
    wanted = torch.get_num_threads()
    threads: int = min(wanted, vars(numba.config)["NUMBA_NUM_THREADS"])
    numba.set_num_threads(threads)
    if torch.get_num_threads() != wanted:
        # When numba's thread pool starts, it sets OpenMP's number of threads for the whole process. Torch would then
        # continue with another number of threads, which changes the last bits: a resumed run would no longer be exact.
        torch.set_num_threads(wanted)
    return threads


def _refuse_fork() -> None:
    pid = os.getpid()
    if _launched_in and pid not in _launched_in:
        raise RunError(
            "a compiled kernel was called in a process that was forked after its parent process had used the kernels",
            accepted="kernels in the main process, or in workers that are started with 'spawn' or 'forkserver'",
            fix='pass multiprocessing_context="spawn" to the DataLoader, or move the call out of the worker',
        )
    _launched_in.add(pid)


def _announce(function: Any, purpose: str, seconds: int) -> None:
    if purpose in _announced:
        return
    _announced.add(purpose)
    if not _is_cached(function):
        # This is a warning, because an info message is not shown where logging is not set up.
        often = "once after the install" if function.stats.cache_path else "in every process"
        _log.warning("compiling the CPU kernel for %s, %s, about %d s", purpose, often, seconds)


def _is_cached(function: Any) -> bool:
    """Whether an earlier process has stored machine code that is not older than the source."""
    if not function.stats.cache_path:
        return False
    source = Path(function.py_func.__code__.co_filename)
    stem = f"{source.stem}.{function.__qualname__}-"
    folder = Path(function.stats.cache_path)
    indices = [path for path in folder.glob("*.nbi") if path.name.startswith(stem)] if folder.is_dir() else []
    return any(path.stat().st_mtime >= source.stat().st_mtime for path in indices)
