"""File locks, which the operating system releases when the process ends.

They allow one command at a time in a folder, and one writer of a temporary file.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from underpaint.core.errors import DataError, RunError

NAME = ".lock"

RETRIES, RETRY_SECONDS = 3, 0.02
"""How often a locked folder is tried again before it is refused, and the seconds before each attempt."""

_locked: set[int] = set()
"""Handles of the files that this process has locked."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a folder for this process, and create it if it is missing.

    Raises:
        RunError: Another process has locked it.
        DataError: The folder cannot be written.
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
        unlock(handle)


def try_lock(handle: int) -> bool | None:
    """Try to lock an open file. Return whether that worked, or None if the file system has no locks."""
    _locked.add(handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def unlock(handle: int) -> None:
    """Close an open file, which also releases its lock."""
    _locked.discard(handle)
    os.close(handle)


def _close_in_child() -> None:
    """Close the locked files in a forked process, because it could live longer than its parent."""
    for handle in _locked:
        os.close(handle)
    _locked.clear()


os.register_at_fork(after_in_child=_close_in_child)


def is_locked(folder: Path) -> bool:
    """Whether a process has locked the folder with `exclusive`; False if this cannot be determined."""
    try:
        handle = os.open(folder / NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return try_lock(handle) is False
    finally:
        unlock(handle)


def _lock(handle: int, folder: Path) -> None:
    locked = try_lock(handle)
    for _ in range(RETRIES):
        if locked is False:  # perhaps only by `is_locked`, which locks the file for a very short time
            time.sleep(RETRY_SECONDS)
            locked = try_lock(handle)
    if locked is False:
        other = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        raise RunError(
            f"another command is using this folder (process {other or 'unknown'})",
            where=folder,
            fix="wait until it ends, or choose another folder",
        )
    if locked is None:
        return
    with suppress(OSError):  # the process number is used only in the message above
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
