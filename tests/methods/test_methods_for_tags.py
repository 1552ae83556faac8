"""The methods for tags, from the classes of each image to a network, on tiny scenes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.core.errors import RunError
from underpaint.formats.jsonl import read_hints
from underpaint.training.run_folder import RunFolder
from underpaint.workflows import train
from underpaint.workflows.simulate import simulate


@pytest.fixture(scope="module")
def tags(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tags") / "tags.jsonl"
    simulate(scenes, path, kind="tags")
    return path


def artifacts(run: RunFolder) -> list[str]:
    return sorted(path.name.rpartition("-")[0] for path in (run.root / "artifacts").iterdir())


def stage_terms(run: RunFolder, stage: str) -> dict[str, float]:
    events = [json.loads(line) for line in (run.root / "events.jsonl").read_text().splitlines()]
    held = [event for event in events if event["stage"] == stage and event["event"] == "steps"][-1]
    return {key.removeprefix("loss/"): value for key, value in held.items() if key.startswith("loss/")}


def labels_follow_the_tags(run: RunFolder, stage: str, tags: Path) -> float:
    """Every label is a class that the image is tagged with; the share of labelled pixels."""
    classes = run.classes
    hints = read_hints(tags, classes)
    folder = next(run.root.glob(f"artifacts/labels-{stage}-*")) / "labels"
    shares = []
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            labels = np.asarray(picture)
        said = hints[path.stem].tags
        assert said is not None
        allowed = {classes.index(name) for name in said.present} | {255}
        assert set(np.unique(labels).tolist()) <= allowed
        shares.append(float((labels != 255).mean()))
    assert len(shares) == 8
    return float(np.mean(shares))


def test_cam_trains_a_classifier_and_a_network_on_its_maps(
    scenes: Path, tags: Path, small: list[str], tmp_path: Path
) -> None:
    run = train(scenes, tmp_path / "run", hints=[tags], method="cam", overrides=small)
    assert artifacts(run) == ["labels-retrain", "responses", "trained-classify", "trained-retrain"]
    assert stage_terms(run, "classify")["tags"] > 0
    assert stage_terms(run, "classify")["seeds"] == 0
    assert stage_terms(run, "retrain")["seeds"] > 0
    assert labels_follow_the_tags(run, "retrain", tags) == 1
    assert run.network().tag_head is None
    assert run.tag_network().tag_head is not None


def test_rrm_starts_from_the_classifier_that_cam_shares(
    scenes: Path, tags: Path, small: list[str], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    settings = [*small, "method.settings.steps=two", "method.settings.scales=[0.5,1.0]"]
    run = train(scenes, tmp_path / "run", hints=[tags], method="rrm", overrides=settings, store=store)
    train(scenes, tmp_path / "cam", hints=[tags], method="cam", overrides=small, store=store)
    made = sorted(path.name.rpartition("-")[0] for path in store.iterdir())
    assert made.count("trained-classify") == 1
    assert made.count("trained-retrain") == 2
    terms = stage_terms(run, "train")
    assert set(terms) == {"tags", "background", "foreground", "energy", "seeds"}
    assert terms["tags"] > 0
    assert terms["energy"] < 0
    assert terms["seeds"] == 0
    assert stage_terms(run, "retrain")["seeds"] > 0
    assert stage_terms(run, "retrain")["energy"] == 0


def test_rrm_from_scratch_learns_tags_alone_at_first(
    scenes: Path, tags: Path, small: list[str], tmp_path: Path
) -> None:
    settings = [*small, "method.settings.schedule=scratch", "method.settings.refiner=par"]
    run = train(scenes, tmp_path / "run", hints=[tags], method="rrm", overrides=settings)
    assert artifacts(run) == ["trained-train"]
    assert stage_terms(run, "train")["energy"] < 0
    assert run.tag_network().tag_head is not None


def test_methods_without_a_tag_head_have_no_responses(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path
) -> None:
    run = train(scenes, tmp_path / "run", hints=[scribbles], method="partial", overrides=small)
    with pytest.raises(RunError, match=r"'partial' trains no tag head"):
        run.tag_network()
