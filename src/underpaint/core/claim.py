"""Claims on pieces of work that several processes share, on one machine or on several with a shared folder.

A claim is a file that is linked into place: of two processes only one can make it, on network disks too. On the
machine of its owner the system tells at once whether the owner has ended. On another machine the owner counts as gone
when it has not refreshed the file for a while, as measured by the clock of whoever waits; no two clocks are compared.
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
"""Seconds without a refresh after which the owner on another machine counts as gone. Network disks may show the time of
a change up to 60 seconds late."""

PAUSE = 1.0
"""Seconds between two attempts to claim what others have claimed."""

_watched: dict[str, tuple[tuple[int, int], float]] = {}
"""Claims of other machines: what identified the file and its last refresh, and when this process saw that first."""


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Claim a piece of work by the file ``path``, or learn that somebody else is at it.

    The claim of an owner that has ended, however it did, is taken over. In rare cases a process that was only slow
    loses its claim, so that two processes do the same piece: the result must then be put in place by a rename.

    Args:
        path: The file. Missing folders are made.

    Yields:
        Whether the claim is this process's; it is given up at the end of the block.

    Raises:
        DataError: the folder cannot be written, or its disk has no hard links.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _claim(path)
    except OSError as error:
        raise DataError(
            f"no claim can be made: {error.strerror or error}", where=path, fix="choose a folder on another disk"
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
        _give_up(path, handle)


def wait_for_one(paths: Sequence[Path]) -> None:
    """Wait until one of several claims is free. Raises `DataError` as `claimed`."""
    while not any(_is_free(path) for path in paths):
        time.sleep(PAUSE)


def _is_free(path: Path) -> bool:
    with claimed(path) as mine:
        return mine


def _claim(path: Path) -> int | None:
    """The locked handle of a new claim; None where somebody has the claim."""
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
    """Remove a claim whose owner has ended; whether there is none now."""
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
    """Whether the owner of an open claim has ended. Where the system can tell, this process then has its lock."""
    machine = os.pread(handle, 400, 0).decode("utf-8", "replace").partition("\n")[0]
    if machine == _machine():
        had = try_lock(handle)
        if had is not None:
            return had
    status = os.fstat(handle)
    seen, now = (status.st_ino, status.st_mtime_ns), time.monotonic()
    before, since = _watched.get(str(path), (None, now))
    if before != seen:
        _watched[str(path)] = (seen, now)
        return False
    return now - since > STALE


def _refresh(handle: int, done: threading.Event) -> None:
    while not done.wait(BEAT):
        with suppress(OSError):  # it was closed just now
            os.utime(handle)


def _give_up(path: Path, handle: int) -> None:
    with suppress(OSError):  # another process has taken it over
        if os.path.samestat(path.stat(), os.fstat(handle)):
            path.unlink()
    unlock(handle)


@cache
def _machine() -> str:
    """What identifies this machine since its last start: a lock says nothing about processes of another one."""
    with suppress(OSError):
        return f"{socket.gethostname()} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    return f"{socket.gethostname()} {time.time() - time.monotonic():.0f}"
