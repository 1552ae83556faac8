"""Several commands in one folder of a comparison: each cell is trained once, and the results are those of one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from underpaint import gap
from underpaint.evaluation.results import Role
from underpaint.training.reporter import Silent
from underpaint.workflows import cells as module
from underpaint.workflows.cells import Cell, Protocol, Row, run_cells


def test_every_cell_is_done_by_one_of_two_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []

    def fake(protocol: Protocol, cell: Cell, reporter: object) -> str:
        """What is there is read; what is not takes a moment, in which the other command comes along."""
        held = protocol.out / f"{cell.seed}.done"
        if not held.exists():
            trained.append(f"{cell}")
            time.sleep(0.02)
            assert not held.exists()
            held.touch()
        return f"scores of {cell}"

    monkeypatch.setattr(module, "_tried", fake)
    monkeypatch.setattr("underpaint.core.claim.PAUSE", 0.01)
    protocol = Protocol(tmp_path, "train", "test", (), {}, False, None, tmp_path, tmp_path)
    every = [Cell(Row("partial", "partial", Role.FLOOR, ()), seed, four=False) for seed in range(12)]
    results: list[dict[str, Any]] = [{}, {}]

    def command(number: int) -> None:
        for cell, scored in run_cells(protocol, every, jobs=1, reporter=Silent()):
            assert str(cell) not in results[number]
            results[number][str(cell)] = scored

    threads = [threading.Thread(target=command, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(trained) == sorted(map(str, every))
    assert results[0] == results[1] == {str(cell): f"scores of {cell}" for cell in every}
    assert not list((tmp_path / "claims").iterdir())


COMMAND = "import sys; from underpaint.cli import main; sys.argv[0] = 'underpaint'; main()"


@pytest.mark.slow
def test_two_commands_share_a_folder_and_give_the_report_of_one(scenes: Path, small: list[str], tmp_path: Path) -> None:
    out = tmp_path / "gap"
    words = ["gap", str(scenes), "-o", str(out), "--methods", "", "--single-scale", "--seeds", "0,1"]
    words += [word for setting in small for word in ("--set", setting)]
    commands = [
        subprocess.Popen([sys.executable, "-c", COMMAND, *words], stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [command.communicate(timeout=600)[1] for command in commands]
    assert [command.returncode for command in commands] == [0, 0], said
    trained = {path.parent.name: path.read_text().count('"trained"') for path in out.glob("runs/*/events.jsonl")}
    assert {name: trained[name] for name in trained if not name.startswith("quick")} == {
        "partial-0": 1, "partial-1": 1, "supervised-0": 1, "supervised-1": 1,
    }  # fmt: skip
    gap(scenes, tmp_path / "fresh", methods=[], seeds=[0, 1], four=False, settings=small)
    reports = [json.loads((folder / "report.json").read_text())["rows"] for folder in (out, tmp_path / "fresh")]
    scores = [{row["method"]: row["miou_per_seed"] for row in rows} for rows in reports]
    assert scores[0] == scores[1]
