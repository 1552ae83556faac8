"""How far a training is, from the events that it writes."""

from __future__ import annotations

import json
from pathlib import Path

from underpaint.serve.runs import FollowedRun


def write(folder: Path, *events: dict[str, object]) -> None:
    with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def steps(stage: str, step: int, loss: float) -> dict[str, object]:
    return {
        "event": "steps",
        "stage": stage,
        "step": step,
        "images_per_second": 2.0,
        "loss/seeds": loss,
        "loss/sets": 0.5,
    }


def test_steps_of_all_stages_are_counted_together(tmp_path: Path) -> None:
    run = FollowedRun("001", tmp_path)
    write(tmp_path, steps("train", 10, 1.0), steps("train", 20, 0.5))
    first = run.update()
    assert (run.step, run.losses) == (20, [(10, 1.5), (20, 1.0)])
    assert run.rate is None, "events that are read at once say nothing of the time"
    write(tmp_path, steps("retrain-1", 10, 0.25))
    second = run.update()
    assert (run.step, run.losses[-1]) == (30, (30, 0.75))
    assert first < second == run.update()
