"""A worker process, which ends at the latest with the process that started it.

It is a new Python interpreter that imports only what the work needs. It is not forked, because the caller may have
threads. It does not import the caller's main module, so that scripts need no ``if __name__ == "__main__"`` and light
work starts without torch. Chunks and results are sent as pickles over a socket that only the two processes have.
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
from underpaint.core.stop import raise_when_stopped

log = logging.getLogger(__name__)

GRACE = 20.0
"""Seconds within which a process must end after the request: a training ends its step and saves a checkpoint."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

TERMINAL_SIGNALS = {signal.SIGINT, signal.SIGHUP}
"""Signals that a terminal sends to all its processes. Workers ignore them; the caller receives them and ends them."""

DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""


class Worker:
    """The caller's connection to one process.

    Args:
        work: A function of a module, which is applied to every item of a chunk.
        threads: Number of threads of numerical libraries in the process; None for their default.

    Raises:
        OSError: The system cannot start another process.
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
        """Send a chunk under a key; the process works on its chunks in their order."""
        self.chunks.append((key, chunk))
        self._send(chunk)

    def _send(self, message: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the process has died, which `answers` notices
            self.connection.send(message)

    def answers(self) -> Iterator[tuple[Any, list[Any] | Exception]]:
        """Yield the keys of the chunks that are done, each with its results or with the exception of the work.

        Raises:
            EOFError: The process has died. ``chunks`` are those that are not done; it was working on the first.
            Exception: The process cannot import the work.
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

    def exit_reason(self) -> str:
        """Return how a dead process ended, in words."""
        code = self.process.wait()
        if code >= 0:
            return f"it ended with exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"it was killed by {name}" + (", as systems do when memory runs out" if name == "SIGKILL" else "")

    def stop(self) -> None:
        """Ask the process to end."""
        self.process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for the end of the process, but not longer than ``seconds``."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.warning("a process did not end within %g s, and is killed", GRACE)

    def close(self) -> None:
        """Kill the process if it has not ended, and close the connection."""
        self.process.kill()
        self.process.wait()
        self.connection.close()


def _started(handle: int, threads: int | None) -> subprocess.Popen[bytes]:
    # -P: a file in the current folder must not replace a module.
    code = f"from underpaint.core.worker import serve; serve({handle}, {os.getpid()})"
    words = [os.fsdecode(get_executable()), *subprocess._args_from_interpreter_flags(), "-P", "-c", code]  # type: ignore[attr-defined]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if threads is not None:
        environment |= dict.fromkeys(THREADS, str(threads))
    with _blocked({*TERMINAL_SIGNALS, signal.SIGTERM}):  # the process inherits this until `serve` unblocks SIGTERM
        return subprocess.Popen(words, pass_fds=[handle], stdin=subprocess.DEVNULL, env=environment)


@contextmanager
def _blocked(signals: set[signal.Signals]) -> Iterator[None]:
    """Delay signals until the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(handle: int, parent: int) -> None:
    """Run in the worker process: work on chunks until the caller ends the process or has itself ended."""
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
        connection.send((False, _picklable(error)))
        return
    raise_when_stopped()
    while True:
        answer = _answer(work, messages.get())
        connection.send(answer)
        if isinstance(answer[1], InterruptionError):
            return


def _answer(work: Callable[[Any], Any], message: bytes) -> tuple[bool, Any]:
    """Return True and the results of a chunk, or False and the exception of the work."""
    try:
        return True, [work(item) for item in pickle.loads(message)]
    except Exception as error:
        return False, _picklable(error)


def _picklable(error: Exception) -> Exception:
    """Return the error in a form that can be pickled. An error that is not the user's gets its traceback as a note."""
    if not isinstance(error, UnderpaintError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RunError(f"{type(error).__name__}: {error}")
    return error


def _receive(connection: Connection, messages: queue.SimpleQueue[bytes]) -> None:
    """Pass messages on. The socket is closed when the caller ends, in whatever way; then this process ends too."""
    with suppress(EOFError, OSError):
        while True:
            messages.put(connection.recv_bytes())
    os._exit(1)


def _die_with(parent: int) -> None:
    """Let Linux kill this process with its parent, even in the middle of a long computation."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
