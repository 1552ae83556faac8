"""Signals that ask a process to stop: the work is put in order first, and the exit code says which it was."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; the end of a batch job, a container or the machine; a closed terminal."""


class Stopped(SystemExit):
    """A signal ended the process; the exit code is the shell's, 128 and the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


class Request:
    """Whether a signal asked for the end, and which.

    Args:
        number: The signal; None while none came.
    """

    number: int | None = None


def unwind_when_stopped() -> None:
    """Let SIGTERM and SIGHUP raise `Stopped`, so that temporary files are removed, as after Ctrl-C.

    A signal that the caller of the process had ignored (``nohup``) stays so.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)


@contextmanager
def stop_requests() -> Iterator[Request]:
    """Turn the first stopping signal into a note, for work that must not end half done; the second acts at once.

    Outside the main thread, where Python lets nobody handle signals, nothing is noted.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _: FrameType | None) -> None:
        request.number = number
        restore()

    for number in STOPPING:
        held = signal.getsignal(number)
        if held is not signal.SIG_IGN or number == signal.SIGINT:  # shells ignore Ctrl-C for background jobs
            before[number] = held
            signal.signal(number, note)
    try:
        yield request
    finally:
        restore()


def ignore_stopping() -> None:
    """For a child whose parent ends it: signals to the whole group are the parent's to answer."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
