"""The input of a child of the server: what the server says, and an end together with it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable


def listen(take: Callable[[str], object]) -> None:
    """Give every line of the input to a function, in a thread, and end this process when the input ends.

    The input is a pipe that the system closes when the server ends or is killed. The process ends at once, in the
    middle of whatever it computes: its files are written whole or not at all, and nobody waits for its answers.
    """

    def read() -> None:
        for line in sys.stdin:
            take(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
