"""One command at a time in a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from underpaint.core.errors import DataError, RunError

NAME = ".lock"


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
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        raise RunError(
            f"another command is at work in this folder (process {other or 'unknown'})",
            where=folder,
            fix="wait until it ends, or choose another folder",
        ) from None
    except OSError:
        return  # a disk without locks
    with suppress(OSError):  # the number is for the message alone
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
