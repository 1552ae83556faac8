"""The methods for tags, from the classes of each image to a network, on tiny scenes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.tiny import TINY

from underpaint import plan, predict, simulate, train
from underpaint.annotations.jsonl import read_hints
from underpaint.core.errors import ConfigError, RunError
from underpaint.data.hinted import HintedImages
from underpaint.methods.registry import learner_of
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.predict.responses import CamPredictor
from underpaint.records import Head
from underpaint.training.fitting import fit_tag_head
from underpaint.training.reporter import Silent
from underpaint.training.run_folder import RunFolder


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
    trained = [*small, "method.settings.classifier=trained"]
    run = plan(scenes, hints=[tags], method="cam", settings=trained).train(tmp_path / "run")
    assert artifacts(run) == ["labels-retrain", "responses", "trained-classify", "trained-retrain"]
    assert stage_terms(run, "classify")["tags"] > 0
    assert set(stage_terms(run, "classify")) == {"tags"}
    assert stage_terms(run, "retrain")["seeds"] > 0
    assert labels_follow_the_tags(run, "retrain", tags) == 1
    assert run.network().tag_head is None
    assert run.tag_network().tag_head is not None

    out = tmp_path / "maps"
    summary = predict(run.root, scenes / "images", out, draw="responses", scales=(0.5, 1.0), flip=True)
    pictures = sorted(out.rglob("*.png"))
    assert summary.written == len(pictures) >= 12
    assert {path.parent.name for path in pictures} == {path.stem for path in (scenes / "images").iterdir()}
    assert all(path.stem.partition("-")[2] in run.classes.names for path in pictures)
    assert not any("background" in path.stem for path in pictures)
    with Image.open(pictures[0]) as picture:
        assert picture.size == (80, 64)


def test_the_linear_classifier_takes_no_step_and_knows_what_the_images_show(
    scenes: Path, tags: Path, small: list[str], tmp_path: Path
) -> None:
    weights = []
    for number, seed in enumerate((0, 1)):
        settings = [*small, *TINY, f"seed={seed}", "train.epochs=1", "method.settings.scales=[1.0]"]
        said: list[str] = []

        class Noting(Silent):
            def note(self, text: str, said: list[str] = said) -> None:
                said.append(text)

        planned = plan(scenes, hints=[tags], method="cam", settings=settings)
        if number == 0:
            run = planned.train(tmp_path / "run", reporter=Noting())
            assert any("without pre-trained weights" in text for text in said)
            events = [json.loads(line) for line in (run.root / "events.jsonl").read_text().splitlines()]
            assert next(event["steps"] for event in events if event["event"] == "trained") == 0
        images = HintedImages(planned.data, planned.hints, planned.config.views, seed=0)
        network = Network(ModelConfig(), len(planned.data.classes), needs={Head.TAGS})
        stage = planned.method.stages()[0]
        fit_tag_head(network, learner_of(planned.method, stage), stage, images, seed=seed, reporter=Silent())
        assert network.tag_head is not None
        weights.append(network.tag_head.weight.detach().numpy().copy())
    np.testing.assert_array_equal(weights[0], weights[1])  # convex: no seed plays a part
    looker = CamPredictor(network, scales=(1.0,), flip=False)
    right = []
    for still in images.training_images():
        shown = np.delete(still.present, 0)
        right += [(looker.scores(still.rgb)[1:] > 0.5) == shown]
    assert np.mean(right) > 0.8


@pytest.mark.slow  # five trainings
def test_rrm_starts_from_the_classifier_that_cam_shares(
    scenes: Path, tags: Path, small: list[str], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    settings = [*small, "method.settings.steps=two", "method.settings.scales=[0.5,1.0]", "train.epochs=1"]
    small = [*small, "train.epochs=1"]
    run = plan(scenes, hints=[tags], method="rrm", settings=settings).train(tmp_path / "run", store=store)
    plan(scenes, hints=[tags], method="cam", settings=small).train(tmp_path / "cam", store=store)
    made = sorted(path.name.rpartition("-")[0] for path in store.iterdir())
    assert made.count("trained-classify") == 1
    assert made.count("trained-retrain") == 2
    terms = stage_terms(run, "train")
    assert set(terms) == {"tags", "background", "foreground", "energy", "seeds"}
    assert terms["tags"] > 0
    assert terms["energy"] < 0
    assert terms["seeds"] == 0
    assert stage_terms(run, "retrain")["seeds"] > 0
    assert set(stage_terms(run, "retrain")) == {"seeds"}


def test_rrm_from_scratch_learns_tags_alone_at_first(
    scenes: Path, tags: Path, small: list[str], tmp_path: Path
) -> None:
    settings = [*small, "method.settings.schedule=scratch", "method.settings.refiner=par"]
    run = plan(scenes, hints=[tags], method="rrm", settings=settings).train(tmp_path / "run")
    assert artifacts(run) == ["trained-train"]
    assert stage_terms(run, "train")["energy"] < 0
    assert run.tag_network().tag_head is not None


def test_methods_without_a_tag_head_have_no_responses(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path
) -> None:
    run = plan(scenes, hints=[scribbles], method="partial", settings=small).train(tmp_path / "run")
    with pytest.raises(RunError, match=r"no class activation maps: method 'partial'"):
        predict(run.root, scenes / "images", tmp_path / "maps", draw="responses")


@pytest.mark.slow  # six trainings: half a minute
@pytest.mark.parametrize(("affinity", "targets"), [("feature", "hard"), ("boundary", "soft")])
def test_sc_cam_from_clusters_over_affinities_to_a_network(
    scenes: Path, tags: Path, small: list[str], tmp_path: Path, affinity: str, targets: str
) -> None:
    settings = [f"method.settings.affinity={affinity}", f"method.settings.targets={targets}", "train.epochs=1"]
    rounds = ["method.settings.rounds=2", "method.settings.scales=[1.0]", "method.settings.walk_steps=8"]
    run = plan(scenes, hints=[tags], method="sc-cam", settings=[*small, *settings, *rounds]).train(tmp_path / "run")
    assert artifacts(run) == [
        "labels-affinity", "labels-pixels", "labels-retrain", "labels-subclass-1", "labels-subclass-2", "predictions",
        "responses", "trained-affinity", "trained-classify", "trained-pixels", "trained-retrain", "trained-subclass-1",
        "trained-subclass-2",
    ]  # fmt: skip
    for path in run.root.glob("artifacts/labels-subclass-1-*/subtags/*.npy"):
        subtags = np.load(path)
        said = read_hints(tags, run.classes)[path.stem].tags
        assert said is not None
        present = {run.classes.index(name) for name in said.present} - {run.classes.background}
        assert {int(c) for c in np.flatnonzero((subtags == 1).sum(axis=1) == 1)} == present, "one cluster a class"
    assert stage_terms(run, "subclass-2")["subtags"] > 0
    assert stage_terms(run, "affinity")["affinity"] > 0
    assert stage_terms(run, "retrain")["seeds" if targets == "hard" else "soft"] > 0
    if targets == "hard":
        assert labels_follow_the_tags(run, "retrain", tags) == 1
    tagged = run.tag_network()
    assert tagged.sub_head is not None
    assert run.network().sub_head is None


def test_sc_cam_without_rounds_goes_from_the_classifier_to_affinities_of_the_frozen_encoder(
    scenes: Path, tags: Path, small: list[str], tmp_path: Path
) -> None:
    rounds = ["method.settings.rounds=0", "method.settings.scales=[1.0]", "method.settings.walk_steps=4"]
    planned = plan(scenes, hints=[tags], method="sc-cam", settings=[*small, *TINY, "train.epochs=1", *rounds])
    assert [stage.name for stage in planned.method.stages()] == ["classify", "affinity", "pixels", "retrain"]
    run = planned.train(tmp_path / "run")
    assert stage_terms(run, "affinity")["affinity"] > 0
    assert labels_follow_the_tags(run, "retrain", tags) == 1


def test_an_encoder_without_the_levels_of_the_model_of_pixels_is_refused_before_anything_is_trained(
    scenes: Path, tags: Path, small: list[str], tmp_path: Path
) -> None:
    encoder = ["model.encoder=vgg11", "model.architecture=unet", "model.weights=none", "method.settings.rounds=0"]
    with pytest.raises(ConfigError, match="lacks levels"):
        train(scenes, tmp_path / "run", hints=[tags], method="sc-cam", settings=[*small, *encoder])
    assert not (tmp_path / "run").exists()
