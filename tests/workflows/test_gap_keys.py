"""What a comparison keeps is used again only while everything that it rests on is the same."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint import gap, plan
from underpaint.core.errors import RunError
from underpaint.datasets.open import open_dataset
from underpaint.evaluation.compare import evaluate_folder
from underpaint.training.run_folder import RunFolder
from underpaint.training.stages import StagedRun
from underpaint.workflows import resume, scoring

Figures = dict[str, float]


@pytest.fixture
def data(scenes: Path, tmp_path: Path) -> Path:
    shutil.copytree(scenes, tmp_path / "data")
    return tmp_path / "data"


def compare(data: Path, out: Path, small: list[str], **arguments: object) -> Figures:
    """mIoU by row; every other argument is that of `gap`."""
    settings = [*small, "train.epochs=0.5"]
    gap(data, out, settings=settings, methods=[], four=False, quick=False, **arguments)  # type: ignore[arg-type]
    held = json.loads((out / "report.json").read_text())
    return {row["method"]: row["miou"] for row in held["rows"]}


def repaint(path: Path) -> None:
    """Every pixel of an index mask becomes class 1."""
    with Image.open(path) as image:
        painted = Image.fromarray(np.ones_like(np.array(image)))
        painted.putpalette(image.getpalette() or [])
    painted.save(path)


def repaint_masks(data: Path, split: str) -> None:
    for name in (data / "splits" / f"{split}.txt").read_text().split():
        repaint(data / "masks" / f"{name}.png")


def repaint_photographs(data: Path) -> None:
    for path in (data / "images").iterdir():
        with Image.open(path) as image:
            darker = Image.fromarray(np.array(image) // 2)
        darker.save(path)


def halve_test(data: Path) -> None:
    path = data / "splits" / "test.txt"
    path.write_text("\n".join(path.read_text().split()[2:]))


def reverse_test(data: Path) -> None:
    path = data / "splits" / "test.txt"
    path.write_text("\n".join(path.read_text().split()[::-1]))


def halve_train(data: Path) -> None:
    path = data / "splits" / "train.txt"
    path.write_text("\n".join(path.read_text().split()[4:]))


def rename_class(data: Path) -> None:
    names = (data / "classes.txt").read_text().splitlines()
    (data / "classes.txt").write_text("\n".join([*names[:-1], "renamed"]))


CHANGES: list[Callable[[Path], None]] = [
    lambda data: repaint_masks(data, "test"),
    lambda data: repaint_masks(data, "train"),
    repaint_photographs,
    halve_test,
    reverse_test,
    halve_train,
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", CHANGES, ids=["test masks", "masks", "photographs", "fewer to score", "order", "fewer to learn from"]
)
def test_each_change_of_the_data_is_seen(
    data: Path, small: list[str], tmp_path: Path, change: Callable[[Path], None]
) -> None:
    compare(data, tmp_path / "kept", small)
    change(data)
    again, fresh = compare(data, tmp_path / "kept", small), compare(data, tmp_path / "fresh", small)
    assert again == fresh
    opened = open_dataset(data)
    for name, score in again.items():
        masks = tmp_path / "kept" / "masks" / f"{name}-0"
        assert evaluate_folder(masks, opened, "test", workers=1).scores.miou == pytest.approx(score)
        assert {path.stem for path in masks.glob("*.png")} == set(opened.split("test")), "no masks of other splits"


def test_another_split_to_score_on_gives_its_own_figures(data: Path, small: list[str], tmp_path: Path) -> None:
    names = (data / "splits" / "test.txt").read_text().split()
    (data / "splits" / "last.txt").write_text("\n".join(names[-2:]))
    whole = compare(data, tmp_path / "kept", small)
    part = compare(data, tmp_path / "kept", small, test="last")
    expected = {
        name: evaluate_folder(tmp_path / "kept" / "masks" / f"{name}-0", open_dataset(data), "last", workers=1)
        for name in whole
    }
    assert part == {name: pytest.approx(each.scores.miou) for name, each in expected.items()}
    assert compare(data, tmp_path / "kept", small) == whole


@pytest.mark.slow
def test_only_what_changed_is_trained_again(data: Path, small: list[str], tmp_path: Path) -> None:
    out, hints = tmp_path / "gap", tmp_path / "hints.jsonl"
    compare(data, out, small)
    shutil.copy(next((out / "hints").iterdir()), hints)
    given = tmp_path / "given"
    compare(data, given, small, hints=[str(hints)])

    def weights() -> dict[str, int]:
        return {path.parent.name: path.stat().st_mtime_ns for path in given.glob("runs/*/weights.safetensors")}

    before = weights()
    repaint_masks(data, "train")
    compare(data, given, small, hints=[str(hints)])
    changed = {name for name, time in weights().items() if before[name] != time}
    assert changed == {"supervised-0"}, "the floor learns from the hints of the file, not from masks"


@pytest.mark.slow
def test_simulated_hints_are_those_of_the_masks_and_the_split(data: Path, small: list[str], tmp_path: Path) -> None:
    compare(data, tmp_path / "gap", small)
    first = set((tmp_path / "gap" / "hints").iterdir())
    halve_train(data)
    compare(data, tmp_path / "gap", small)
    second = set((tmp_path / "gap" / "hints").iterdir()) - first
    assert len(second) == 1
    said = [json.loads(line) for line in second.pop().read_text().splitlines()[1:]]
    assert {line["image"] for line in said} == set((data / "splits" / "train.txt").read_text().split())


class Calls:
    """A function that counts how often it is called."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function, self.count = function, 0

    def __call__(self, *given: object) -> object:
        self.count += 1
        return self.function(*given)


@pytest.mark.slow
def test_code_is_part_of_every_key(
    data: Path, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(data, tmp_path / "gap", small)
    trained, counted = Calls(StagedRun._trained), Calls(scoring._counted)
    monkeypatch.setattr(StagedRun, "_trained", lambda *given: trained(*given))
    monkeypatch.setattr(scoring, "_counted", counted)
    compare(data, tmp_path / "gap", small)
    assert (trained.count, counted.count) == (0, 0)
    monkeypatch.setattr(scoring, "code_digest", lambda *_: "edited")
    compare(data, tmp_path / "gap", small)
    assert (trained.count, counted.count) == (0, 2)
    for module in ("workflows.planning", "training.inputs"):
        monkeypatch.setattr(sys.modules[f"underpaint.{module}"], "code_digest", lambda *_: "edited")
    compare(data, tmp_path / "gap", small)
    assert (trained.count, counted.count) == (2, 2), "the same weights came of it: they need no new scores"


@pytest.mark.slow
def test_damaged_counts_are_made_again(
    data: Path, small: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = compare(data, tmp_path / "gap", small)
    for path in (tmp_path / "gap" / "scores").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert compare(data, tmp_path / "gap", small) == whole
    assert "damaged" in caplog.text


def corrected(data: Path) -> None:
    repaint_masks(data, "train")


@pytest.mark.parametrize("change", [corrected, repaint_photographs, rename_class])
def test_a_resume_on_other_data_is_refused(
    data: Path, small: list[str], tmp_path: Path, change: Callable[[Path], None]
) -> None:
    plan(data, split="train", settings=small).train(tmp_path / "run")
    change(data)
    with pytest.raises(RunError, match=r"these differ: (other hints or masks|other image files|classes)"):
        plan(data, split="train", settings=small).train(tmp_path / "run", resume=True)


@pytest.mark.slow
def test_a_store_is_not_asked_for_what_other_data_taught(data: Path, small: list[str], tmp_path: Path) -> None:
    store = tmp_path / "store"
    kept = []
    for number, change in enumerate([None, repaint_photographs, corrected, rename_class]):
        if change is not None:
            change(data)
        run = plan(data, split="train", settings=small).train(tmp_path / str(number), store=store)
        kept.append((run.root / "weights.safetensors").read_bytes())
        assert len(list(store.iterdir())) == number + 1
    assert len(set(kept[:3])) == 3


def test_what_a_run_rests_on_is_written_down(data: Path, small: list[str], tmp_path: Path) -> None:
    run = plan(data, split="train", settings=small).train(tmp_path / "run")
    assert resume.SHARED_INPUTS.keys() <= RunFolder(run.root).about.keys()
