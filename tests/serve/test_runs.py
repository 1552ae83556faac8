"""Trainings of the page, with a command in place of `underpaint train` that keeps its promises in milliseconds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.serve.conftest import CLASSES, Page, opened, photographs

from underpaint.annotations.strokes.project import project_classes
from underpaint.annotations.strokes.read import read_strokes
from underpaint.serve import runs as runs_module
from underpaint.serve import services as services_module

SECONDS = 30.0
STEPS = 400

TRAINER = """
import json, signal, sys, time
from pathlib import Path
from underpaint.core.lock import exclusive

words = sys.argv[1:]
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
out = Path(words[words.index("-o") + 1])
if "bad" in words:
    print("error: the disk is on fire", flush=True)
    sys.exit(1)
with exclusive(out):
    (out / "config.yaml").write_text("method:\\n  name: partial\\n")
    (out / "words.json").write_text(json.dumps(words))
    log = out / "events.jsonl"
    done = len(log.read_bytes().splitlines()) if log.is_file() else 0
    for step in range(done + 1, 401):
        with log.open("a") as file:
            file.write(json.dumps({"event": "steps", "stage": "train", "step": step, "loss/sets": 1 / step}) + "\\n")
        if "--resume" not in words:
            time.sleep(0.02)
    (out / "weights.safetensors").touch()
    (out / "samples.png").touch()
"""


def command(folder: Path, *words: str) -> list[str]:
    """The command in place of ``underpaint``."""
    return [sys.executable, str(folder / "trainer.py"), *words]


@pytest.fixture
def masked() -> list[str]:
    """The runs whose masks were asked for."""
    return []


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, masked: list[str]) -> Iterator[Page]:
    (tmp_path / "trainer.py").write_text(TRAINER)

    async def plan(runs: runs_module.Runs, method: str, minutes: float | None) -> dict[str, Any]:
        return {"lines": ["trains"], "settings": ["train.epochs=2.5"], "steps": STEPS}

    async def task(word: str, **arguments: Any) -> dict[str, Any]:
        masked.append(Path(arguments["run"]).name)
        return {}

    monkeypatch.setattr("underpaint.serve.runs.module", lambda name, *words: command(tmp_path, *words))
    monkeypatch.setattr(runs_module.Runs, "plan", plan)
    monkeypatch.setattr(runs_module, "SECONDS", 0.02)
    monkeypatch.setattr(services_module, "task", task)
    with opened(photographs(tmp_path / "data")) as page:
        page.post("project", {"classes": CLASSES})
        yield page


def until(page: Page, run: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What the page is told of a run as soon as something holds."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        told: dict[str, Any] = page.get(f"runs/{run}")
        if holds(told):
            return told
        time.sleep(0.01)
    raise AssertionError(f"waited too long: {told}")


def test_a_training_is_followed_stopped_and_goes_on(page: Page, masked: list[str]) -> None:
    run = page.post("train", {"method": "partial", "minutes": 3})["run"]
    assert run == "001"
    told = until(page, run, lambda told: told["step"] > 2)
    assert (told["method"], told["state"], told["steps"], told["external"]) == ("partial", "running", STEPS, False)
    assert told["losses"][1] == [2, 0.5]
    assert page.get("project")["run"]["id"] == run
    refused = page.client.post("/api/v1/train", json={"method": "auto", "minutes": None})
    assert refused.status_code == 400
    assert "the training 001 is running" in refused.json()["what"]
    assert page.client.post(f"/api/v1/runs/{run}/resume", json={}).status_code == 400
    page.post(f"runs/{run}/stop", {})
    stopped = until(page, run, lambda told: told["state"] == "stopped")
    assert stopped["resumable"]
    assert page.get("project")["run"] is None
    assert page.client.post(f"/api/v1/runs/{run}/stop", json={}).status_code == 400
    page.post(f"runs/{run}/resume", {})
    finished = until(page, run, lambda told: told["state"] == "finished")
    assert finished["step"] == STEPS
    assert not finished["resumable"]
    words = (page.services.site.folder / "runs" / run / "words.json").read_text()
    for word in ("--resume", "train.epochs=2.5", "--lenient", '"partial"', str(page.services.site.folder)):
        assert word in words
    until(page, run, lambda _: masked == [run])


def test_strokes_after_the_start_are_counted(page: Page) -> None:
    run = page.post("train", {"method": "partial", "minutes": 3})["run"]
    until(page, run, lambda told: told["step"] > 0)
    hint = {"kind": "click", "class": "cat", "x": 3.0, "y": 3.0}
    page.post("ops", {"ops": [{"id": "late", "image": page.ids[0], "op": "add", "hint": hint}]})
    assert page.get(f"runs/{run}")["behind"] == 1
    folder = page.services.site.folder
    words = json.loads((folder / "runs" / run / "words.json").read_text())
    learned = Path(words[words.index("--hints") + 1])
    assert sum(len(hints.clicks) for hints in read_strokes(folder).values()) == 1
    assert project_classes(learned) == project_classes(folder)
    assert read_strokes(learned) == {}, "the run learns from the marks of its start, also when it is continued"
    page.post(f"runs/{run}/stop", {})
    until(page, run, lambda told: told["state"] == "stopped")


def test_a_training_that_fails_says_why(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("underpaint.serve.runs.module", lambda name, *words: command(tmp_path, *words, "bad"))
    run = page.post("train", {"method": "partial", "minutes": None})["run"]
    told = until(page, run, lambda told: told["state"] == "failed")
    assert told["fault"] == "error: the disk is on fire\n"
    assert not told["resumable"]


def test_a_training_of_the_command_appears_and_can_be_stopped(page: Page, tmp_path: Path) -> None:
    out = page.services.site.folder / "runs" / "mine"
    child = subprocess.Popen(command(tmp_path, "train", "-o", str(out)))
    end = time.monotonic() + SECONDS
    while not any(one["step"] for one in page.get("runs")["items"]):
        assert time.monotonic() < end
        time.sleep(0.01)
    told = page.get("runs/mine")
    assert (told["method"], told["state"], told["external"], told["steps"]) == ("partial", "running", True, 0)
    page.post("runs/mine/stop", {})
    assert child.wait(SECONDS) == 130
    assert not until(page, "mine", lambda told: told["state"] == "stopped")["resumable"], "its words are not known"


def test_runs_that_are_not_there(page: Page) -> None:
    answers = [page.client.get("/api/v1/runs/007")]
    answers += [page.client.post(f"/api/v1/runs/007/{what}", json={}) for what in ("stop", "resume")]
    for answer in answers:
        assert answer.status_code == 400
        assert "training '007'" in answer.json()["what"]


def test_a_finished_run_is_told_with_all_its_steps_before_the_next_check(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "SECONDS", 60)
    time.sleep(0.2)  # the check that waits still has its short interval
    run = page.post("train", {"method": "partial", "minutes": 3})["run"]
    until(page, run, lambda told: told["step"] > 2)
    page.post(f"runs/{run}/stop", {})
    until(page, run, lambda told: told["state"] == "stopped")
    page.post(f"runs/{run}/resume", {})
    assert until(page, run, lambda told: told["state"] == "finished")["step"] == STEPS
