"""A short form of `benchmarks/reliability/paint_kills.py`: what was acknowledged survives the kill of any process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost_by_kills(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    words = ["benchmarks.reliability.paint_kills", "--kills", "20", "--minutes", "8", "--json", str(told)]
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert all(row["kills"] > 0 for row in json.loads(told.read_text())["rows"].values())
