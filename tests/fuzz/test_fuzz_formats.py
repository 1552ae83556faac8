"""A few thousand inputs of the fuzzing in `benchmarks/fuzz_formats.py`; a million take it a quarter of an hour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from underpaint.annotations.registry import FORMATS

REPOSITORY = Path(__file__).resolve().parents[2]


def test_damaged_files_give_typed_errors_or_results(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.fuzz_formats", "--inputs", "2000", "--seconds", "120"]
    done = subprocess.run(
        [*command, "--seed", "1", "--save", str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    result = json.loads(done.stdout)
    assert done.returncode == 0, [row["saved"] for row in result["readers"] if row["saved"]]
    names = [row["reader"] for row in result["readers"]]
    assert names[: len(FORMATS)] == [form.name for form in FORMATS]
    others = {"photographs", "stacks and maps", "hints on maps", "lists", "settings", "run folders", "names", "command"}
    assert others == set(names[len(FORMATS) :])
    assert result["inputs"] >= 1900
    assert result["inputs"] == result["results"] + result["typed"]
    # Damage that nobody notices, and damage that always breaks, would test nothing.
    assert all(row["results"] and row["typed"] for row in result["readers"] if row["reader"] != "command")
