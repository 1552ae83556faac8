"""Child processes of the server, which end together with it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from underpaint.core.errors import RunError

NICE = 10
"""The niceness of trainings and tasks."""

LINE = 16 << 20
"""Largest length of a line that a child prints, in bytes."""


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of underpaint in this interpreter."""
    return [sys.executable, "-m", name, *arguments]


def environment(threads: int | None = None) -> dict[str, str]:
    """The environment variables of a child: those of this process, with a limit of threads."""
    limit = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    return {**os.environ, "OMP_WAIT_POLICY": "passive", "PYTHONUNBUFFERED": "1", **limit}


async def task(word: str, **arguments: Any) -> dict[str, Any]:
    """Run a task of `underpaint.serve.tasks`, and return its result.

    Raises:
        RunError: The task failed (with its reason and its fix), or its process ended unexpectedly.
    """
    child = await asyncio.create_subprocess_exec(
        *module("underpaint.serve.tasks", word, json.dumps(arguments)),
        stdin=asyncio.subprocess.PIPE,  # nothing is written: the task ends when it is closed
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment(1),
        limit=LINE,
        preexec_fn=_low_priority,
    )
    assert child.stdout is not None
    try:
        printed = await child.stdout.read()
        await child.wait()
    except asyncio.CancelledError:
        child.kill()
        raise
    try:
        said: dict[str, Any] = json.loads(printed.splitlines()[-1])
    except (IndexError, ValueError):
        raise RunError(f"the process of the task ended with code {child.returncode}", fix="try again") from None
    if child.returncode:
        raise RunError(str(said.get("what")), fix=str(said.get("fix")) or None)
    return said


async def start_logged(command: Sequence[str], log: Path, threads: int | None) -> asyncio.subprocess.Process:
    """Start a command in a new process group, so that Ctrl-C does not reach it, and write its output to a file."""
    with log.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment(threads),
            start_new_session=True,
            preexec_fn=_low_priority_in_session,
        )


def _low_priority() -> None:
    """Let the quick model and the server have more CPU time."""
    os.nice(NICE)


def _low_priority_in_session() -> None:
    """Let the quick model and the server have more CPU time than this process in its new session.

    If Linux divides the CPU time between sessions (``sched_autogroup``, the default of most distributions), the
    niceness of a process only counts inside its session. So the session needs a niceness too.
    """
    os.nice(NICE)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE))
