"""A short form of the trial in `benchmarks/reliability/kills.py`: killed commands are repeated to the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_killed_commands_are_repeated_to_the_same_bytes(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks.reliability.kills",
        "--kills",
        "20",
        "--minutes",
        "1",
        "--json",
        str(told),
    ]
    verbs = ["--verbs", "train partial", "predict", "predict, shards", "convert", "simulate"]
    done = subprocess.run([*command, *verbs], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(told.read_text())["rows"]
    assert set(rows) == set(verbs[1:])
    assert sum(row["kills"] for row in rows.values()) > 0
    assert all(row["files compared"] > 0 for row in rows.values())
