"""What the server does when trainings end, when requests meet, and when places are asked for."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from tests.serve.conftest import CLASSES, TOKEN, Page, in_own_loop, opened, photographs

from underpaint.core.errors import RunError
from underpaint.serve import services as services_module
from underpaint.serve.model import QuickModelProcess
from underpaint.serve.runs import FollowedRun, Runs
from underpaint.serve.site import Site


def site(tmp_path: Path) -> Site:
    made = Site.open(photographs(tmp_path / "data"))
    made.set_classes({"classes": CLASSES})
    return made


async def quiet(kind: str, record: dict[str, Any]) -> None:
    """News that nobody reads."""


def finished(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("weights.safetensors", "samples.png", "config.yaml"):
        (folder / name).touch()


def test_a_training_that_ended_without_a_server_gets_its_masks_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    at_once = most = 0

    async def task(word: str, **arguments: Any) -> dict[str, Any]:
        nonlocal at_once, most
        asked.append({"word": word, **arguments})
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        raise RunError("the masks are refused", fix="look at them")

    monkeypatch.setattr(services_module, "task", task)
    data = photographs(tmp_path / "data")
    finished(data / "paint" / "runs" / "001")
    finished(data / "paint" / "runs" / "002")
    finished(data / "paint" / "runs" / "003")
    (data / "paint" / "masks" / "002").mkdir(parents=True)
    (data / "paint" / "masks" / "002" / "summary.csv").touch()
    (data / "paint" / "project.json").write_text(
        '{"underpaint": "paint", "version": 1, "id": "x", '
        '"classes": [{"name": "cat", "color": "#e69f00", "key": null}]}'
    )
    with opened(data) as page:
        notes = page.get("runs/001")["notes"]
    assert [(one["word"], Path(one["run"]).name) for one in asked] == [("masks", "001"), ("masks", "003")]
    assert most == 1, "one training after another, so that the server and the quick model keep their time"
    assert notes == ["its masks could not be made: the masks are refused; fix: look at them"]


def test_of_two_starts_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def done(run: object) -> None:
        raise AssertionError("no run has ended")

    async def both() -> list[Any]:
        runs = Runs(site(tmp_path), quiet, done)

        async def plan(method: str, minutes: float | None) -> dict[str, Any]:
            await asyncio.sleep(0.01)
            return {"settings": [], "steps": 5}

        async def launch(name: str, options: list[str]) -> None:
            monkeypatch.setattr(runs, "state", lambda run: "starting")
            runs.known[name] = runs.known.get(name) or FollowedRun(name, tmp_path / name)

        monkeypatch.setattr(runs, "plan", plan)
        monkeypatch.setattr(runs, "_launch", launch)
        starts = (runs.begin("auto", None), runs.begin("auto", None))
        return list(await asyncio.gather(*starts, return_exceptions=True))

    first, second = in_own_loop(both())
    assert first == "001"
    assert isinstance(second, RunError)


def test_places_come_by_uncertainty_and_every_fourth_by_chance(tmp_path: Path) -> None:
    made = site(tmp_path)
    names = list(made.by_name)

    def places() -> list[dict[str, Any]]:
        model = QuickModelProcess(made, quiet)
        for number, name in enumerate(names):
            place = {"x": 1.0, "y": 2.0, "radius": 3.0, "bits": float(number), "guess": "cat", "other": "dog"}
            model.state.masks[name] = {"place": place, "random": {**place, "x": 9.0}, "rev": 1}
        model._given = {"before", "that", "too"}  # the fourth place is due
        return model.places(3, None)

    found = places()
    assert [one["random"] for one in found] == [True, False, False]
    assert found[0]["x"] == 9.0
    assert found[1]["bits"] > found[2]["bits"]
    assert found == places(), "chance depends on the operations alone"
    assert len({one["image"] for one in found}) == 3


def test_places_begin_again_where_all_photographs_had_their_turn(tmp_path: Path) -> None:
    model = QuickModelProcess(site(tmp_path), quiet)
    assert model.places(20, None) == []
    for name in model._site.by_name:
        place = {"x": 1.0, "y": 2.0, "radius": 3.0, "bits": 1.0, "guess": "cat", "other": "dog"}
        model.state.masks[name] = {"place": place, "random": place, "rev": 1}
    first = {one["image"] for one in model.places(2, None)}
    second = {one["image"] for one in model.places(2, None)}
    assert len(first | second) == 3
    assert len(model.places(20, None)) == 3, "a page that is opened again gets places too"


def test_a_full_disk_says_so_and_the_page_may_ask_again(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    hint = {"kind": "click", "class": "cat", "x": 3.0, "y": 3.0}
    body = {"ops": [{"id": "full", "image": page.ids[0], "op": "add", "hint": hint}]}
    write = os.write

    def full(handle: int, content: Any) -> int:
        if b"full" in bytes(content):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, content)

    monkeypatch.setattr(os, "write", full)
    answer = page.client.post("/api/v1/ops", json=body)
    assert answer.status_code == 507
    assert "No space left" in answer.json()["what"]
    monkeypatch.undo()
    assert page.post("ops", body)["known"] == ["full"]


def test_a_name_keeps_its_capitals_over_a_restart(page: Page) -> None:
    token = page.post("people", {"name": "Ben"})["token"]
    hint = {"kind": "click", "class": "cat", "x": 3.0, "y": 3.0}
    image = page.ids[0]
    for client, name in ((token, "theirs"), (TOKEN, "mine")):
        body = {"ops": [{"id": name, "image": image, "op": "add", "hint": hint}]}
        sent = page.client.post("/api/v1/ops", json=body, headers={"authorization": f"Bearer {client}"})
        assert sent.status_code == 200
    before = page.get(f"images/{image}")["hints"]
    assert [mark["by"] for mark in before] == ["Ben", "me"]
    with opened(page.services.site.data) as later:
        assert later.get(f"images/{image}")["hints"] == before
