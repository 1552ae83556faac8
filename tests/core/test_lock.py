"""One command at a time in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from underpaint.core import lock
from underpaint.core.errors import DataError, RunError
from underpaint.core.lock import exclusive, is_locked

HOLD = """
import sys
import time
from contextlib import suppress
from pathlib import Path
from underpaint.core.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_refused_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "gap"
    words = [sys.executable, "-c", HOLD, str(folder)]
    assert not is_locked(folder), "there is no such folder"
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert is_locked(folder)
        with (
            pytest.raises(RunError, match=f"using this folder .process {process.pid}") as caught,
            exclusive(folder),
        ):
            pytest.fail("two at once")
        assert str(folder) in str(caught.value)
        process.kill()
    assert not is_locked(folder)
    with exclusive(folder):
        pass
    with exclusive(folder):
        pass


def test_a_check_of_the_lock_refuses_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`is_locked` holds the lock for a moment; a command that begins in this moment waits for it."""
    answers = iter([False, True])
    monkeypatch.setattr(lock, "try_lock", lambda handle: next(answers))
    with exclusive(tmp_path):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"), exclusive(tmp_path / "file" / "gap"):
        pytest.fail("there is no such folder")
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="cannot be written"), exclusive(tmp_path):
        pytest.fail("a link leads out of the folder")
    assert not (tmp_path / "elsewhere").exists()


def test_a_forked_child_does_not_hold_on(tmp_path: Path) -> None:
    """Loading processes live on for some seconds when the training that forked them is killed."""
    fork = "import os, time\n    if os.fork() == 0:\n        time.sleep(60)\n        os._exit(0)\n    print"
    words = [sys.executable, "-c", HOLD.replace("print", fork, 1), str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert _free_within(10, tmp_path), "the child still holds the folder"
        os.killpg(process.pid, signal.SIGKILL)


def _free_within(seconds: float, folder: Path) -> bool:
    """A child lets go as it begins to run, which a busy machine may delay."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with suppress(RunError), exclusive(folder):
            return True
        time.sleep(0.05)
    return False
