"""`gap --jobs` with processes that are killed: an error that names the training, no process left, and a way on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from underpaint import gap

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")

COMMAND = """
import signal, sys
from underpaint.cli import main
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
sys.argv[0] = "underpaint"
main()
"""


def start(data: Path, out: Path, small: list[str]) -> subprocess.Popen[bytes]:
    words = ["gap", data, "-o", out, "--methods", "", "--single-scale", "--jobs", "2"]
    for setting in [*small, "train.epochs=10"]:
        words += ["--set", setting]
    return subprocess.Popen([sys.executable, "-c", COMMAND, *map(str, words)], stderr=subprocess.PIPE)


def children(process: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            status = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(status[1]) == process and status[0] != "Z":
            found.append(int(path.parent.name))
    return found


def trainings(process: subprocess.Popen[bytes], out: Path) -> list[int]:
    """The processes of both trainings, once both are at work."""
    ends = time.monotonic() + 240
    while len(list(out.glob("runs/*/events.jsonl"))) < 2:
        assert time.monotonic() < ends
        assert process.poll() is None
        time.sleep(0.05)
    return children(process.pid)


def gone(processes: list[int]) -> bool:
    ends = time.monotonic() + 30
    while any(Path(f"/proc/{each}").exists() for each in processes):
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
def test_a_killed_training_is_named_and_the_same_command_goes_on(
    scenes: Path, small: list[str], tmp_path: Path
) -> None:
    with start(scenes, tmp_path / "gap", small) as process:
        found = trainings(process, tmp_path / "gap")
        os.kill(found[0], signal.SIGKILL)
        said = process.communicate(timeout=240)[1].decode()
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "a process died: it was killed by SIGKILL" in said
    assert "where: partial, seed 0" in said or "where: supervised, seed 0" in said
    assert "fix: free some memory" in said
    assert gone(found)
    with start(scenes, tmp_path / "gap", small) as process:
        assert process.wait(240) == 0
    fresh = tmp_path / "fresh"
    gap(scenes, fresh, methods=[], four=False, settings=[*small, "train.epochs=10"])
    rows = [
        [row["miou"] for row in json.loads((out / "report.json").read_text())["rows"]]
        for out in (tmp_path / "gap", fresh)
    ]
    assert rows[0] == rows[1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_no_training_goes_on_without_its_command(
    scenes: Path, small: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    with start(scenes, tmp_path / "gap", small) as process:
        found = trainings(process, tmp_path / "gap")
        os.kill(process.pid, number)
        process.wait(60)
    assert process.returncode in {-number, 128 + number}
    assert gone(found)
