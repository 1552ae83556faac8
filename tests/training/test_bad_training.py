"""What goes wrong in a training ends with a clear message, and with the last good checkpoint kept."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from underpaint import plan
from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.core.errors import DataError, HintError, RunError, UnderpaintError
from underpaint.hints.types import Click, Hints
from underpaint.methods.partial.method import Partial
from underpaint.records import Batch, NetOutput, Progress, Terms
from underpaint.training.checkpoint import Checkpoint, load_checkpoint
from underpaint.training.reporter import Silent


class Notes(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


def _break_loss(monkeypatch: pytest.MonkeyPatch, bad: range) -> None:
    honest = Partial.loss

    def loss(self: Partial, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        terms = honest(self, out, batch, progress)
        return {**terms, "seeds": terms["seeds"] * float("nan")} if progress.step in bad else terms

    monkeypatch.setattr(Partial, "loss", loss)


def test_a_few_bad_steps_are_skipped_and_counted(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_loss(monkeypatch, range(3, 5))
    notes = Notes()
    run = plan(scenes, hints=[scribbles], method="partial", settings=small).train(tmp_path / "run", reporter=notes)
    assert [line for line in notes.said if "not finite" in line] == [
        "step 3: seeds not finite; step skipped",
        "step 4: seeds not finite; step skipped",
    ]
    assert all(bool(torch.isfinite(value).all()) for value in run.network().state_dict().values())


def test_a_gradient_that_overflows_is_skipped_and_the_next_step_is_taken(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Partial.loss

    def loss(self: Partial, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        terms = honest(self, out, batch, progress)
        if progress.step == 3:  # the loss itself is finite
            terms["seeds"].register_hook(lambda gradient: gradient * float("inf"))  # type: ignore[no-untyped-call]
        return terms

    monkeypatch.setattr(Partial, "loss", loss)
    notes, overrides = Notes(), [*small, "train.precision=bf16-mixed"]
    made = plan(scenes, hints=[scribbles], method="partial", settings=overrides)
    run = made.train(tmp_path / "run", reporter=notes)
    assert [line for line in notes.said if "not finite" in line] == ["step 3: gradient not finite; step skipped"]
    assert run.complete
    assert all(bool(torch.isfinite(value).all()) for value in run.network().state_dict().values())


def _last(folder: Path) -> Checkpoint | None:
    """The last checkpoint, whatever it was made from."""
    state = json.loads(next(folder.glob("step-*/state.json")).read_text())
    return load_checkpoint(folder, state["inputs"])


def test_many_bad_steps_stop_with_the_last_good_checkpoint_kept(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_loss(monkeypatch, range(5, 100))
    with pytest.raises(RunError, match="seeds was not finite 10 times in a row"):
        plan(scenes, hints=[scribbles], method="partial", settings=[*small, "train.epochs=10"]).train(tmp_path / "run")
    held = _last(tmp_path / "run" / "stages" / "0-train" / "checkpoints")
    assert held is not None
    assert held.step == 4
    assert all(bool(torch.isfinite(value).all()) for value in held.weights.values())


def test_full_disk_stops_with_a_message(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if "step-00000004" in str(self):
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="No space left on device"):
        plan(scenes, hints=[scribbles], method="partial", settings=small).train(tmp_path / "run")
    held = _last(tmp_path / "run" / "stages" / "0-train" / "checkpoints")
    assert held is not None
    assert held.step == 2


def test_a_class_without_a_hint_is_named(scenes: Path, scribbles: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    path = tmp_path / "few.jsonl"
    some = [
        replace(hint, shapes=tuple(s for s in hint.shapes if s.name != "ring"), tags=None)
        for hint in read_hints(scribbles).values()
    ]
    write_hints(path, some)
    assert any("no label shows 1 of the classes: ring;" in note for note in plan(scenes, hints=[path]).notes)


def test_unknown_class_names_the_nearest(scenes: Path, tmp_path: Path) -> None:
    path = tmp_path / "hints.jsonl"
    write_hints(path, [Hints("train-0000", shapes=(Click("starfsh", 5, 5),))])
    with pytest.raises(UnderpaintError, match="did you mean 'starfish'"):
        plan(scenes, hints=[path])


def test_click_outside_its_image(scenes: Path, tmp_path: Path) -> None:
    path = tmp_path / "hints.jsonl"
    write_hints(path, [Hints("train-0000", shapes=(Click("ring", 5, 5), Click("ring", 500, 5)))])
    with pytest.raises(HintError, match="outside"):
        plan(scenes, hints=[path])
    assert "outside" in " ".join(plan(scenes, hints=[path], lenient=True).notes)


def test_hints_of_another_split(scenes: Path, scribbles: Path) -> None:
    with pytest.raises(HintError, match="no image of the split has a hint"):
        plan(scenes, hints=[scribbles], split="test")


def test_tags_alone_are_refused_with_the_reason(scenes: Path, tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("image,tags\ntrain-0000,ring\n", encoding="utf-8")
    with pytest.raises(UnderpaintError, match="tags alone"):
        plan(scenes, hints=[path])


def test_masks_in_grey_are_refused_with_counts_and_cause(scenes: Path, small: list[str], tmp_path: Path) -> None:
    import shutil

    data = tmp_path / "grey"
    shutil.copytree(scenes, data)
    for path in (data / "masks").iterdir():
        with Image.open(path) as mask:
            grey = np.asarray(mask.convert("L"))
        Image.fromarray(grey).save(path)
    with pytest.raises(UnderpaintError, match="palette"):
        plan(data, settings=small).train(tmp_path / "run")


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_photographs_are_named_and_left_out(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, workers: int
) -> None:

    import shutil

    data = tmp_path / "damaged"
    shutil.copytree(scenes, data)
    photo = data / "images" / "train-0002.png"
    photo.write_bytes(photo.read_bytes()[:3000])  # the header is whole, the pixels are not
    notes = Notes()
    overrides = [*small, f"train.workers={workers}"]
    plan(data, hints=[scribbles], method="partial", settings=overrides).train(tmp_path / "run", reporter=notes)
    assert any("1 unreadable image(s) were left out: train-0002" in note for note in notes.said)
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert next(event for event in events if event["event"] == "unreadable")["images"] == ["train-0002"]
