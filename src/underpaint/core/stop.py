"""Signals that ask a process to stop. The process ends its work in order, and its exit code tells the signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; the end of a batch job, of a container or of the machine; a closed terminal."""


class Stopped(SystemExit):
    """A signal ends the process. The exit code is 128 plus the number of the signal, as in a shell."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


class Request:
    """Whether a signal asked the process to stop.

    Args:
        number: The number of the signal; None if there was none.
    """

    number: int | None = None


def raise_when_stopped() -> list[signal.Signals]:
    """Let SIGTERM and SIGHUP raise `Stopped`, so that temporary files are removed, as after Ctrl-C.

    A signal that the caller of the process ignores (``nohup``) remains ignored.

    Returns:
        The signals whose default behaviour was replaced.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    replaced = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in replaced:
        signal.signal(number, stop)
    return replaced


@contextmanager
def stopping_raises() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `Stopped` during the block. Outside the main thread nothing changes."""
    main = threading.current_thread() is threading.main_thread()
    replaced = raise_when_stopped() if main else []
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stop_requests() -> Iterator[Request]:
    """Record the first stop signal instead of stopping, for work that must be completed; a second one stops at once.

    Outside the main thread, where Python does not allow signal handlers, nothing is recorded.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def record(number: int, _: FrameType | None) -> None:
        request.number = number
        restore()

    for number in STOPPING:
        handler = signal.getsignal(number)
        if handler is not signal.SIG_IGN or number == signal.SIGINT:  # shells ignore Ctrl-C for background jobs
            before[number] = handler
            signal.signal(number, record)
    try:
        yield request
    finally:
        restore()


def ignore_stopping() -> None:
    """Ignore stop signals in a child process that its parent ends; a signal to the group is handled by the parent."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
