"""Locks that end with their process: one command at a time in a folder, one writer of a temporary file."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from underpaint.core.errors import DataError, RunError

NAME = ".lock"

LOOKS, MOMENT = 3, 0.02
"""How often, and after how many seconds each, a folder that is held is tried again before it is refused."""

_held: set[int] = set()
"""Handles with a lock of this process."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is missing, for this process; the system lets go when the process ends.

    Raises:
        RunError: another process holds it.
        DataError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise DataError(
            f"the folder cannot be written: {error.strerror or error}", where=folder, fix="choose another folder"
        ) from error
    try:
        _lock(handle, folder)
        yield
    finally:
        let_go(handle)


def taken(handle: int) -> bool | None:
    """Whether this process now has the lock of an open file; None on a disk without locks."""
    _held.add(handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def let_go(handle: int) -> None:
    """Close an open file, and with it end its lock."""
    _held.discard(handle)
    os.close(handle)


def _leave_to_parent() -> None:
    """In a forked child, as a loading process is: a lock that it shares would outlive the parent."""
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)


def at_work(folder: Path) -> bool:
    """Whether a process holds the folder (`only_one`); False where nobody can tell."""
    try:
        handle = os.open(folder / NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return taken(handle) is False
    finally:
        let_go(handle)


def _lock(handle: int, folder: Path) -> None:
    had = taken(handle)
    for _ in range(LOOKS):
        if had is False:  # it may be `at_work`, which takes the lock for a moment
            time.sleep(MOMENT)
            had = taken(handle)
    if had is False:
        other = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        raise RunError(
            f"another command is at work in this folder (process {other or 'unknown'})",
            where=folder,
            fix="wait until it ends, or choose another folder",
        )
    if had is None:
        return
    with suppress(OSError):  # the number is for the message alone
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
