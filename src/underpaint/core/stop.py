"""Signals that ask a process to stop. The process ends its work in order, and its exit code tells the signal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; the end of a batch job, of a container or of the machine; a closed terminal."""

AGAIN = 0.1
"""Seconds after which a signal is sent again whose exception was lost."""


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

    A signal that the caller of the process ignores (``nohup``) remains ignored. A signal that comes during a callback
    or a finaliser, from which no exception gets out (compilers of kernels call back for seconds), is sent again.

    Returns:
        The signals whose default behaviour was replaced.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    replaced = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in replaced:
        signal.signal(number, stop)
    sys.unraisablehook = _send_again
    return replaced


def _send_again(lost: sys.UnraisableHookArgs) -> None:
    """Send the signal again if its exception was lost; show any other lost exception as Python does."""
    if not isinstance(lost.exc_value, Stopped | KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    number = lost.exc_value.number if isinstance(lost.exc_value, Stopped) else signal.SIGINT
    try:
        later = threading.Timer(AGAIN, os.kill, (os.getpid(), number))
        later.daemon = True
        later.start()
    except (Stopped, KeyboardInterrupt):  # another signal, here where exceptions are lost as well
        _send_again(lost)
    except RuntimeError:  # the interpreter is already at its end, where no thread starts
        pass


@contextmanager
def stopping_raises() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `Stopped` during the block. Outside the main thread nothing changes."""
    main = threading.current_thread() is threading.main_thread()
    before = sys.unraisablehook
    replaced = raise_when_stopped() if main else []
    try:
        yield
    finally:
        if main:
            sys.unraisablehook = before
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
