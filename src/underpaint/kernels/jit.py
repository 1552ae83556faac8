"""What a compiled kernel needs before it is called: a thread count, and a word to whoever waits for the compiler.

Where machine code is kept, and until when, says `machine_code`.
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
    """Get ready to call a parallel numba function; returns the number of threads that it will use.

    The count follows ``torch.get_num_threads()`` (so a data loader's worker gets one thread) and never exceeds
    ``NUMBA_NUM_THREADS``. The first call after an install compiles, and says so once on the logger ``underpaint``;
    later processes read numba's cache and start at once.

    Args:
        function: The jitted function about to be called.
        purpose: What it computes, for the message.
        seconds: About how long compiling takes on one core of a laptop.

    Raises:
        RunError: in a process forked from one that has already run a kernel, where OpenMP would abort.
    """
    import numba  # it starts slowly, and few commands come here

    _refuse_fork()
    _announce(function, purpose, seconds)
    wanted = torch.get_num_threads()
    threads: int = min(wanted, vars(numba.config)["NUMBA_NUM_THREADS"])
    numba.set_num_threads(threads)
    if torch.get_num_threads() != wanted:
        # Numba's pool, when it starts, sets OpenMP's thread count for the whole process. Torch would go on with another
        # number of threads than it began with, and so with other last bits: an exact resume would be lost.
        torch.set_num_threads(wanted)
    return threads


def _refuse_fork() -> None:
    pid = os.getpid()
    if _launched_in and pid not in _launched_in:
        raise RunError(
            "a compiled kernel was called in a process forked after its parent had used the kernels",
            accepted="kernels in the main process, or in workers started with 'spawn' or 'forkserver'",
            fix='pass multiprocessing_context="spawn" to the DataLoader, or move the call out of the worker',
        )
    _launched_in.add(pid)


def _announce(function: Any, purpose: str, seconds: int) -> None:
    if purpose in _announced:
        return
    _announced.add(purpose)
    if not _is_cached(function):
        # A warning, not an info line: whoever has not set up logging would else watch a silent program.
        often = "once after the install" if function.stats.cache_path else "in every process"
        _log.warning("compiling the CPU kernel for %s, %s, about %d s", purpose, often, seconds)


def _is_cached(function: Any) -> bool:
    """Whether an earlier process has left machine code that is not older than the source."""
    if not function.stats.cache_path:
        return False
    source = Path(function.py_func.__code__.co_filename)
    stem = f"{source.stem}.{function.__qualname__}-"
    folder = Path(function.stats.cache_path)
    indices = [path for path in folder.glob("*.nbi") if path.name.startswith(stem)] if folder.is_dir() else []
    return any(path.stat().st_mtime >= source.stat().st_mtime for path in indices)
