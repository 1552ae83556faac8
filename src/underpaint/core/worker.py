"""One process that works for this one, and that never outlives it.

It is started as a fresh interpreter which imports what the work needs and nothing else: no fork, since the caller may
hold threads, and not the caller's main module, so that scripts need no guard and light work starts without torch.
Chunks and results travel as pickles over a socket that only the two processes hold.
"""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.spawn import get_executable
from typing import Any

from underpaint.core.errors import InterruptionError, RunError, UnderpaintError
from underpaint.core.stop import unwind_when_stopped

log = logging.getLogger(__name__)

GRACE = 20.0
"""Seconds that a process has to end after it was asked to: a training ends its step and saves a checkpoint."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

CALLERS = {signal.SIGINT, signal.SIGHUP}
"""Signals that a terminal sends to all its processes: the caller hears them, and ends the workers."""

DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""


class Worker:
    """The caller's side of one process.

    Args:
        work: A function of a module, applied to every item of a chunk.
        threads: Threads that numerical libraries may use there; None for as many as they like.

    Raises:
        OSError: the system starts no further process.
    """

    def __init__(self, work: Callable[[Any], Any], threads: int | None) -> None:
        self.chunks: deque[tuple[Any, list[Any]]] = deque()
        ours, theirs = socket.socketpair()
        with theirs:
            self.connection = Connection(ours.detach())
            try:
                self.process = _started(theirs.fileno(), threads)
            except BaseException:
                self.connection.close()
                raise
        self.ready = False
        self._send(sys.path)
        self._send(work)

    def give(self, key: Any, chunk: list[Any]) -> None:
        """Hand over a chunk under a key; several wait in line."""
        self.chunks.append((key, chunk))
        self._send(chunk)

    def _send(self, message: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died, which `answers` finds
            self.connection.send(message)

    def answers(self) -> Iterator[tuple[Any, list[Any] | Exception]]:
        """The keys of the chunks that are done by now, with their results, or what the work raised.

        Raises:
            EOFError: the process has died; ``chunks`` are those it left undone, the first of them under way.
            Exception: the work cannot be imported there.
        """
        while self.connection.poll():
            try:
                fine, answer = self.connection.recv()
            except OSError:
                raise EOFError from None
            if self.ready:
                yield self.chunks.popleft()[0], answer
            elif not fine:
                raise answer
            self.ready = True
        if self.process.poll() is not None and not self.connection.poll():
            raise EOFError

    def ending(self) -> str:
        """How a dead process ended, in words."""
        code = self.process.wait()
        if code >= 0:
            return f"it ended with exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"it was killed by {name}" + (", as systems do when memory runs out" if name == "SIGKILL" else "")

    def stop(self) -> None:
        """Ask the process to end."""
        self.process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for the end, for at most so long."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.warning("a process did not end within %g s, and is killed", GRACE)

    def close(self) -> None:
        """End the process by force where it has not ended, and let go of it."""
        self.process.kill()
        self.process.wait()
        self.connection.close()


def _started(handle: int, threads: int | None) -> subprocess.Popen[bytes]:
    # -P: a file of the current folder must not take the place of a module.
    code = f"from underpaint.core.worker import serve; serve({handle}, {os.getpid()})"
    words = [os.fsdecode(get_executable()), *subprocess._args_from_interpreter_flags(), "-P", "-c", code]  # type: ignore[attr-defined]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if threads is not None:
        environment |= dict.fromkeys(THREADS, str(threads))
    with _held({*CALLERS, signal.SIGTERM}):  # which the process inherits, until it says otherwise
        return subprocess.Popen(words, pass_fds=[handle], stdin=subprocess.DEVNULL, env=environment)


@contextmanager
def _held(signals: set[signal.Signals]) -> Iterator[None]:
    """Signals wait until the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(handle: int, parent: int) -> None:
    """The life of the process: work on chunks until the caller ends it, or is gone."""
    _die_with(parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    connection = Connection(handle)
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, messages), daemon=True).start()
    try:
        sys.path[:] = pickle.loads(messages.get())
        work = pickle.loads(messages.get())
        connection.send((True, None))
    except Exception as error:
        connection.send((False, _portable(error)))
        return
    unwind_when_stopped()
    while True:
        answer = _answer(work, messages.get())
        connection.send(answer)
        if isinstance(answer[1], InterruptionError):
            return


def _answer(work: Callable[[Any], Any], message: bytes) -> tuple[bool, Any]:
    """(True, the results of a chunk), or (False, why there are none)."""
    try:
        return True, [work(item) for item in pickle.loads(message)]
    except Exception as error:
        return False, _portable(error)


def _portable(error: Exception) -> Exception:
    """The error in a form that travels, with the place where it was raised if that is nothing a user can mend."""
    if not isinstance(error, UnderpaintError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RunError(f"{type(error).__name__}: {error}")
    return error


def _receive(connection: Connection, messages: queue.SimpleQueue[bytes]) -> None:
    """Pass messages on. The caller's end is closed when the caller is gone, however it ended: so does this process."""
    with suppress(EOFError, OSError):
        while True:
            messages.put(connection.recv_bytes())
    os._exit(1)


def _die_with(parent: int) -> None:
    """Where the system can, be killed with the caller even in the middle of a long computation."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
