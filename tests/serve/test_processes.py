"""Trainings give way to the quick model, also where the system shares its time between sessions."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from tests.serve.conftest import in_own_loop

from underpaint.serve.processes import NICE, start_logged

AUTOGROUP = Path("/proc/self/autogroup")
SAY = (
    "import os; from pathlib import Path; print(os.nice(0), os.getsid(0) == os.getpid(), os.environ['OMP_NUM_THREADS'])"
)


def started(code: str, log: Path) -> str:
    async def run() -> None:
        child = await start_logged([sys.executable, "-c", code], log, threads=1)
        assert await child.wait() == 0

    in_own_loop(run())
    return log.read_text()


def test_a_training_is_nice_has_one_thread_and_a_session_of_its_own(tmp_path: Path) -> None:
    nice, own, threads = started(SAY, tmp_path / "log").split()
    assert (int(nice), own, threads) == (min(os.nice(0) + NICE, 19), "True", "1")


@pytest.mark.skipif(not AUTOGROUP.is_file(), reason="this system does not share its time between sessions")
def test_the_session_of_a_training_is_nice_too(tmp_path: Path) -> None:
    told = started(f"print(open({str(AUTOGROUP)!r}).read())", tmp_path / "log")
    assert re.search(r"nice (-?\d+)", told)[1] == str(NICE), told  # type: ignore[index]
