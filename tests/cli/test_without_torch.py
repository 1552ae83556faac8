"""Verbs that need no network start without torch, and mistakes in a call are said before it is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from underpaint import __version__

PROGRAM = """
import contextlib, io, json, sys
from underpaint.cli import app
from underpaint.core.errors import UnderpaintError

def outcome(words):
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        try:
            code = app(words, standalone_mode=False) or 0
        except SystemExit as error:
            code = error.code
        except UnderpaintError as error:
            print(error)
            code = 1
    return [code, shown.getvalue(), "torch" in sys.modules]

if __name__ == "__main__":
    print(json.dumps([outcome(words) for words in json.loads(sys.argv[1])]))
"""


def outcomes(calls: list[list[str]], folder: Path) -> list[tuple[int, str, bool]]:
    """Exit code and output of each call, all in one new process, and whether torch was imported by its end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(calls)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return [(code, said, torch) for code, said, torch in json.loads(done.stdout.splitlines()[-1])]


def test_verbs_without_a_network(scenes: Path, tmp_path: Path) -> None:
    data = str(scenes)
    calls = [
        ["--help"],
        ["--version"],
        ["methods"],
        *([verb, "--help"] for verb in ("train", "predict", "evaluate", "simulate", "gap", "convert", "doctor")),
        ["evaluate", str(scenes / "masks"), data, "--json"],
        ["simulate", data, "--kind", "clicks", "-o", "hints.jsonl"],
        ["doctor", data, "--hints", "hints.jsonl"],
        ["convert", data, "coco.json", "--to", "coco"],
    ]
    found = outcomes(calls, tmp_path)
    assert [(code, torch) for code, _, torch in found] == [(0, False)] * len(calls)
    assert found[1][1] == f"underpaint {__version__}\n"
    assert found[2][1].count("sc-cam") == 1
    assert (tmp_path / "hints.jsonl").is_file()
    assert (tmp_path / "coco.json").is_file()


MISTAKES = {
    "train nowhere -o run": "nowhere",
    "train SCENES --hints nowhere.jsonl -o run": "nowhere.jsonl",
    "train SCENES --config nowhere.yaml -o run": "nowhere.yaml",
    "train SCENES --set seed -o run": "--set",
    "train SCENES --split trian -o run": "trian",
    "train SCENES --method gated -o run": "gated-crf",
    "predict nowhere SCENES -o masks": "nowhere",
    "predict SCENES nowhere -o masks": "nowhere",
    "predict SCENES SCENES -o masks --scales one": "--scales",
    "evaluate nowhere SCENES": "nowhere",
    "gap nowhere -o out": "nowhere",
    "gap SCENES -o out --seeds one": "--seeds",
    "simulate nowhere --kind clicks -o out.jsonl": "nowhere",
}
"""Calls with a mistake, and what the message names."""


def test_a_mistake_in_a_call_is_said_before_torch_is_imported(scenes: Path, tmp_path: Path) -> None:
    calls = [[str(scenes) if word == "SCENES" else word for word in call.split()] for call in MISTAKES]
    for call, (code, said, torch) in zip(MISTAKES, outcomes(calls, tmp_path), strict=True):
        assert (code, torch) == (1, False), call
        assert MISTAKES[call] in said, call
    assert list(tmp_path.iterdir()) == []
