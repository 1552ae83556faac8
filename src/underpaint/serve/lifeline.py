"""The input of a child process of the server. It carries requests, and the child ends when it is closed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def listen(take: Callable[[str], object]) -> None:
    """Pass every line of the input to a function, in a thread, and end this process when the input ends.

    The input is a pipe that the system closes when the server ends or is killed. Then this process ends at once, even
    during a computation: its files are written completely or not at all, and its answers are no longer needed.

    The thread has a file of its own for the pipe. A forked process, such as one that loads images for a training,
    closes ``sys.stdin`` first, and would wait forever for the lock that a reading thread of its parent holds.
    """
    pipe = os.fdopen(os.dup(0), encoding="utf-8")

    def read() -> None:
        for line in pipe:
            take(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
