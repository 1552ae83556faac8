"""The command, as a person starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.paint_client import Client, wait_for_link
from tests.serve.conftest import CLASSES, photographs

from underpaint.serve.demo import MARKED, SCENES

SECONDS = 120.0


@contextmanager
def served(log: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    with log.open("wb") as file:
        words = (sys.executable, "-m", "underpaint", *words, "--no-browser")
        process = subprocess.Popen(words, stdout=file, stderr=file, env=os.environ | {"PYTHONUNBUFFERED": "1"})
        try:
            yield process, wait_for_link(log, SECONDS)
        finally:
            process.kill()
            process.wait()


def test_a_killed_server_goes_on_under_the_same_link_and_a_second_command_finds_it(tmp_path: Path) -> None:
    data = photographs(tmp_path / "data")
    with served(tmp_path / "log", "paint", str(data)) as (process, first):
        first.post("project", {"classes": CLASSES})
        image = first.rows()[0]["id"]
        hint = {"kind": "click", "class": "cat", "x": 3.5, "y": 4.0}
        first.post("ops", {"ops": [{"id": "s1", "image": image, "op": "add", "hint": hint}]})
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
    assert (data / "paint" / "server.json").stat().st_mode & 0o077 == 0, "the link is for this account alone"
    with served(tmp_path / "again", "paint", str(data)) as (process, second):
        assert second.token == first.token
        assert [mark["id"] for mark in second.get(f"images/{image}")["hints"]] == ["s1"]
        words = [sys.executable, "-m", "underpaint", "paint", str(data), "--no-browser"]
        other = subprocess.run(words, capture_output=True, text=True, check=False)
        assert other.returncode == 1
        assert f":{second.port}/#{second.token}" in other.stderr.replace("\n", "")
        invited = subprocess.run([*words, "--invite", "Ben"], capture_output=True, text=True, check=True)
        token = invited.stdout.strip().rpartition("#")[2]
        assert Client(second.port, token).get("project")["me"]["name"] == "Ben"
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0 or process.returncode in (130, -signal.SIGINT)
    log = (tmp_path / "again").read_text()
    assert log.count(second.token) == 1, "the link is printed once, and no request is logged"
    assert not (data / "paint" / "server.json").exists()
    assert json.loads((data / "paint" / "people.json").read_text())


def test_the_demo_has_scenes_with_strokes(tmp_path: Path) -> None:
    with served(tmp_path / "log", "demo", "--paint", "-o", str(tmp_path / "out")) as (_, client):
        project = client.get("project")
        assert project["images"] == SCENES
        assert project["model"]["marked"] > 2
        assert sum(row["state"] == "marked" for row in client.rows()) == MARKED
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["photographs"]
