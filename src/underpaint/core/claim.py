"""Claims on parts of a work that several processes share, on one machine or on several with a shared folder.

A claim is a file that is created by a link, so that only one of two processes can create it, also on network disks. On
the machine of the owner, a lock shows immediately whether the owner has ended. On another machine the owner is taken to
have ended if it has not refreshed the file for some time, measured with the clock of the waiting process; the clocks of
two machines are never compared.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from underpaint.core.errors import DataError
from underpaint.core.lock import try_lock, unlock

BEAT = 10.0
"""Seconds between two refreshes of a claim."""

STALE = 180.0
"""Seconds without a refresh after which the owner on another machine is taken to have ended. Network disks may show the
time of a change up to 60 seconds late."""

PAUSE = 1.0
"""Seconds between two attempts to claim what others have claimed."""

_watched: dict[str, tuple[tuple[int, int], float]] = {}
"""Claims of other machines: the number of the file with its last refresh, and when this process first read them."""


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Claim a part of a work with the file ``path``, unless another process has claimed it.

    The claim of an owner that has ended is taken over. In rare cases a process that is only slow loses its claim, so
    that two processes do the same part. Therefore the result must be put in its place by a rename.

    Args:
        path: The file. Missing folders are created.

    Yields:
        Whether this process has the claim, which is released at the end of the block.

    Raises:
        DataError: The folder cannot be written, or its file system has no hard links.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _claim(path)
    except OSError as error:
        raise DataError(
            f"the claim file cannot be created: {error.strerror or error}",
            where=path,
            fix="choose a folder on another disk",
        ) from error
    if handle is None:
        yield False
        return
    done = threading.Event()
    threading.Thread(target=_refresh, args=(handle, done), daemon=True).start()
    try:
        yield True
    finally:
        done.set()
        _release(path, handle)


def wait_for_one(paths: Sequence[Path]) -> None:
    """Wait until one of several claims is free. Raises `DataError` as `claimed`."""
    while not any(_is_free(path) for path in paths):
        time.sleep(PAUSE)


def _is_free(path: Path) -> bool:
    with claimed(path) as mine:
        return mine


def _claim(path: Path) -> int | None:
    """The locked handle of a new claim; None if another process has the claim."""
    mine = path.with_name(f".{path.name}.{secrets.token_hex(6)}.claim")
    handle = os.open(mine, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try_lock(handle)
        os.write(handle, f"{_machine()}\n{os.getpid()}\n".encode())
        if _linked(mine, path) or (_removed(path) and _linked(mine, path)):
            return handle
    except BaseException:
        unlock(handle)
        raise
    finally:
        mine.unlink(missing_ok=True)
    unlock(handle)
    return None


def _linked(mine: Path, path: Path) -> bool:
    try:
        os.link(mine, path)
    except FileExistsError:
        return False
    return True


def _removed(path: Path) -> bool:
    """Remove a claim whose owner has ended. Return whether there is no claim now."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        if _ended(path, handle) and os.path.samestat(path.stat(), os.fstat(handle)):
            path.unlink()
            return True
    except FileNotFoundError:
        return True
    finally:
        unlock(handle)
    return False


def _ended(path: Path, handle: int) -> bool:
    """Whether the owner of a claim has ended. On the machine of the owner, this process has its lock then."""
    machine = os.pread(handle, 400, 0).decode("utf-8", "replace").partition("\n")[0]
    if machine == _machine():
        locked = try_lock(handle)
        if locked is not None:
            return locked
    status = os.fstat(handle)
    state, now = (status.st_ino, status.st_mtime_ns), time.monotonic()
    before, since = _watched.get(str(path), (None, now))
    if before != state:
        _watched[str(path)] = (state, now)
        return False
    return now - since > STALE


def _refresh(handle: int, done: threading.Event) -> None:
    while not done.wait(BEAT):
        with suppress(OSError):  # the file was closed in the meantime
            os.utime(handle)


def _release(path: Path, handle: int) -> None:
    with suppress(OSError):  # another process has taken it over
        if os.path.samestat(path.stat(), os.fstat(handle)):
            path.unlink()
    unlock(handle)


@cache
def _machine() -> str:
    """A text that identifies this machine since its last start. Locks show only whether processes on it have ended."""
    with suppress(OSError):
        return f"{socket.gethostname()} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    return f"{socket.gethostname()} {time.time() - time.monotonic():.0f}"
