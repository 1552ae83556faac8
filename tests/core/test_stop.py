"""Signals that stop a process, at moments at which Python loses exceptions."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, os, signal, sys, time
from underpaint.core.stop import raise_when_stopped

class Finaliser:
    def __del__(self):
        os.kill(os.getpid(), number)

number = int(sys.argv[2])
callback = ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), number))
if signal.getsignal(number) == signal.SIG_IGN:  # the tests run under nohup, which children inherit
    signal.signal(number, signal.SIG_DFL)
raise_when_stopped()
try:
    callback() if sys.argv[1] == "callback" else Finaliser()
    time.sleep(60)
    print("went on")
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("number", [15, 1, 2])
@pytest.mark.parametrize("place", ["callback", "finaliser"])
def test_a_signal_whose_exception_is_lost_stops_all_the_same(place: str, number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, place, str(number)], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 128 + number
    assert done.stdout == done.stderr == ""


def test_other_lost_exceptions_are_shown() -> None:
    script = (
        "from underpaint.core.stop import raise_when_stopped\nraise_when_stopped()\n"
        "class A:\n    def __del__(self): raise ValueError('seen')\nA()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50)
    assert "seen" in done.stderr
