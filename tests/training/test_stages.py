"""Stages and artifacts: made once, whole or not at all, used again, and learned from."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from underpaint import plan, simulate
from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.core.config import Config
from underpaint.core.digest import fingerprint
from underpaint.data.hinted import HintedImages, Key
from underpaint.data.samples import Sample
from underpaint.hints.types import Kind
from underpaint.losses.candidates import nothing, seed_cross_entropy
from underpaint.methods.about import Reference
from underpaint.methods.base import Method
from underpaint.methods.inference import Inference
from underpaint.methods.stage import LabelMaker, Schedule, Stage, StageNetwork
from underpaint.models.network import Network
from underpaint.predict.responses import CamPredictor
from underpaint.records import Batch, Head, NetOutput, Progress, Terms
from underpaint.testing import ToyBank
from underpaint.training.artifacts import make_artifact
from underpaint.training.reporter import Silent
from underpaint.training.run_folder import read_events
from underpaint.training.stage_inference import StageInference
from underpaint.training.stages import StagedRun


class TwiceConfig(Config):
    """``late`` is felt in the last stage alone."""

    late: int = 0


class Twice(Method[TwiceConfig]):
    """Learns from scribbles, labels every pixel, and learns again from that: hard labels and soft ones."""

    name: ClassVar[str] = "twice"
    reference: ClassVar[Reference | None] = None
    accepts: ClassVar[frozenset[Kind]] = frozenset({Kind.SCRIBBLE, Kind.TAG})
    summary: ClassVar[str] = "for tests"
    Settings: ClassVar[type[Config]] = TwiceConfig

    prepared: ClassVar[list[str]] = []
    shares: ClassVar[dict[str, list[float]]] = {}
    fail: ClassVar[bool] = False

    def stages(self) -> tuple[Stage, ...]:
        early = Twice(TwiceConfig(), self.classes)
        return (
            Stage(name="first", learner=early),
            Stage(name="hard", learner=early, labels=HardLabels(Config(), self.classes)),
            Stage(
                name="soft",
                network=StageNetwork(start="previous"),
                schedule=Schedule(epochs=0.5),
                labels=SoftLabels(self.config, self.classes),
            ),
        )

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        seeds = batch.seeds()
        assert (batch.hinted is not None) == (progress.stage == "hard")
        if batch.hinted is not None:
            assert 0 < float((batch.hinted & batch.valid).float().mean()) < 0.5, "scribbles, not what was made of them"
            assert bool((seeds[batch.hinted & batch.valid] != 255).all())
        share = float((seeds != 255).float().sum() / batch.valid.sum())
        Twice.shares.setdefault(progress.stage, []).append(share)
        soft = nothing(out.logits)
        if progress.stage == "soft":
            assert batch.soft is not None
            held = batch.soft.sum(dim=1)[batch.valid]
            torch.testing.assert_close(held, torch.ones_like(held), atol=0.03, rtol=0)
            soft = -(batch.soft * out.upsampled().log_softmax(dim=1)).sum(dim=1).mean()
        return {"seeds": seed_cross_entropy(out, seeds), "soft": soft}


class HardLabels(LabelMaker[Config]):
    """The network's most probable class."""

    stage: ClassVar[str] = "hard"

    def make(self, infer: Inference) -> None:
        Twice.prepared.append(self.stage)
        for number, image in enumerate(infer.images()):
            if Twice.fail and number == 3:
                raise RuntimeError("killed in the middle")
            assert image.rgb.shape[:2] == image.seeds.shape
            probabilities = infer.probabilities(image, scales=(1.0,), flip=True)
            assert probabilities.shape == (len(infer.classes), *image.seeds.shape)
            np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-3)  # half precision
            if self.stage == "hard":
                infer.write_labels(image.name, probabilities.argmax(axis=0).astype(np.uint8))
            else:
                infer.write_soft(image.name, probabilities[:, ::4, ::4])


class SoftLabels(HardLabels):
    """Its probabilities."""

    stage: ClassVar[str] = "soft"


@pytest.fixture(autouse=True)
def untouched() -> None:
    Twice.prepared, Twice.shares, Twice.fail = [], {}, False


def test_stages_learn_from_what_the_one_before_made(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path
) -> None:
    run = plan(scenes, hints=[scribbles], method=Twice, settings=small).train(tmp_path / "run")
    assert Twice.prepared == ["hard", "soft"]
    assert max(Twice.shares["first"]) < 0.5, "scribbles label few pixels"
    assert min(Twice.shares["hard"]) == 1, "hard labels label every valid pixel"
    assert max(Twice.shares["soft"]) < 0.5, "soft labels are not seeds"
    assert len(Twice.shares["soft"]) == len(Twice.shares["first"]) // 2
    artifacts = sorted(path.name.rpartition("-")[0] for path in (run.root / "artifacts").iterdir())
    assert artifacts == [
        "labels-hard", "labels-soft", "predictions", "predictions", "trained-first", "trained-hard", "trained-soft"
    ]  # fmt: skip
    assert {path.name for path in (run.root / "stages").iterdir()} == {"0-first", "1-hard", "2-soft"}
    events = [event for event, _ in read_events(run.root / "events.jsonl")]
    costs = [(event["stage"], event["event"]) for event in events if event["event"] != "steps"]
    assert costs == [(name, kind) for name in ("first", "hard", "soft") for kind in ("labels", "trained")][1:]
    assert all(event["seconds"] > 0 for event in events if event["event"] != "steps")


def test_interrupted_between_stages_nothing_is_made_twice(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path
) -> None:
    Twice.fail = True
    with pytest.raises(RuntimeError, match="in the middle"):
        plan(scenes, hints=[scribbles], method=Twice, settings=small).train(tmp_path / "run")
    made = [path.name.rpartition("-")[0] for path in (tmp_path / "run" / "artifacts").iterdir()]
    assert sorted(made) == ["predictions", "trained-first"], "half a set of labels is visible"

    Twice.fail, Twice.shares = False, {}
    plan(scenes, hints=[scribbles], method=Twice, settings=small).train(tmp_path / "run", resume=True)
    assert "first" not in Twice.shares, "a finished stage was trained again"

    whole = plan(scenes, hints=[scribbles], method=Twice, settings=small).train(tmp_path / "whole")
    assert (whole.root / "weights.safetensors").read_bytes() == (tmp_path / "run" / "weights.safetensors").read_bytes()


@pytest.mark.parametrize(("baseline", "stage"), [("partial", "train"), ("quick", "fit")])
def test_runs_that_share_a_store_train_a_common_stage_once(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, baseline: str, stage: str
) -> None:
    store = tmp_path / "store"
    floor = plan(scenes, hints=[scribbles], method=baseline, settings=small).train(tmp_path / "floor", store=store)
    for run, weight in (("one", 0.5), ("two", 0.0)):
        settings = [*small, f"method.settings.baseline={baseline}", f"method.settings.weight={weight}"]
        plan(scenes, hints=[scribbles], method="local-global", settings=settings).train(tmp_path / run, store=store)
    made = sorted(path.name.rpartition("-")[0] for path in store.iterdir())
    assert made == [
        *["labels-retrain-1", "labels-retrain-1", "predictions"],
        *sorted(["trained-retrain-1", "trained-retrain-1", f"trained-{stage}"]),
    ]
    trained = next(path for path in store.iterdir() if path.name.startswith(f"trained-{stage}"))
    assert (trained / "weights.safetensors").read_bytes() == (floor.root / "weights.safetensors").read_bytes()
    assert not (floor.root / "artifacts").exists()


def test_a_setting_of_the_last_stage_makes_nothing_before_it_again(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path
) -> None:
    for late in (0, 1):
        settings = [*small, f"method.settings.late={late}"]
        plan(scenes, hints=[scribbles], method=Twice, settings=settings).train(
            tmp_path / str(late),
            store=tmp_path / "store",
        )
    assert Twice.prepared == ["hard", "soft", "soft"]
    made = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "store").iterdir())
    assert [name for name in made if name.startswith("trained")] == [
        "trained-first", "trained-hard", "trained-soft", "trained-soft"
    ]  # fmt: skip


def test_an_artifact_is_made_once_for_the_same_inputs(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "value.txt").write_text("7")

    one = make_artifact(tmp_path, "thing", {"a": 1}, make)
    again = make_artifact(tmp_path, "thing", {"a": 1}, make)
    other = make_artifact(tmp_path, "thing", {"a": 2}, make)
    assert one == again != other
    assert len(made) == 2
    assert (one / "value.txt").read_text() == "7"


def test_fingerprint_depends_on_content_not_on_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [2.5]}) == fingerprint({"b": [2.5], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_labels_are_made_in_the_arithmetic_of_the_training(scenes: Path, scribbles: Path, tmp_path: Path) -> None:
    """What a network sees in 16 bits is near what it sees in 32, and is not the same."""
    planned = plan(scenes, hints=[scribbles], method="cam")
    images = HintedImages(planned.data, planned.hints, planned.config.views, seed=0)
    torch.manual_seed(0)
    network = Network(planned.config.model, len(planned.data.classes), needs={Head.TAGS}).eval()
    seen = {}
    for name, autocast in (("32", nullcontext), ("16", partial(torch.autocast, "cpu", torch.bfloat16))):
        folder = tmp_path / name
        folder.mkdir()
        infer = StageInference(
            network, images, folder / "labels", store=folder, given={}, bank=ToyBank, autocast=autocast
        )
        image = next(infer.images())
        seen[name] = (
            infer.responses(image, scales=(1.0,), flip=False),
            infer.probabilities(image, scales=(1.0,), flip=False),
            infer.pooled(image),
        )
    for full, half in zip(seen["32"], seen["16"], strict=True):
        assert 0 < np.abs(full - half).max() < 0.05 * np.abs(full).max()


def test_a_classifier_that_sees_nothing_of_a_tagged_class_is_named(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = tmp_path / "tags.jsonl"
    simulate(scenes, tags, kind="tags", split="train")
    planned = plan(scenes, hints=[tags], method="cam")
    classes = planned.data.classes
    images = HintedImages(planned.data, planned.hints, planned.config.views, seed=0)
    network = Network(planned.config.model, len(classes), needs={Head.TAGS}).eval()
    every = list(images.training_images())
    often, lost = (int(c) for c in np.argsort(-np.sum([image.present for image in every], axis=0))[:2])
    assert classes.background == often == 0

    def said(*, seen: float) -> str | None:
        answers = np.zeros((len(classes), 3, 4), np.float32)
        answers[1:, 0, 0] = 1
        answers[lost, 0, 0] = seen
        monkeypatch.setattr(CamPredictor, "coarse", lambda self, rgb, tagged: answers)
        (tmp_path / f"{seen}").mkdir()
        infer = StageInference(network, images, tmp_path / "labels", store=tmp_path / f"{seen}", given={}, bank=ToyBank)
        assert infer.unseen() is None, "nothing was asked for"
        for image in every:
            infer.responses(image, scales=(1.0,), flip=False)
        return infer.unseen()

    tagged = sum(bool(image.present[lost]) for image in every)
    assert f": {classes.names[lost]} in {tagged} of {tagged}. The pseudo-labels" in (said(seen=0) or "")
    assert said(seen=0.1) is None


@pytest.mark.parametrize("used", [False, True])
def test_images_with_tags_alone_wait_for_the_second_network_or_are_left_out(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, used: bool
) -> None:
    """The first learns from the others, in as many steps; the second from annotations of all, or of the others."""
    tags = tmp_path / "tags.jsonl"
    simulate(scenes, tags, kind="tags", split="train")
    tagged = list(read_hints(tags).values())[5:]
    write_hints(tmp_path / "mixed.jsonl", [*list(read_hints(scribbles).values())[:5], *tagged])
    settings = [*small, "method.settings.baseline=partial", f"method.settings.tagged={used}".lower()]
    planned = plan(scenes, hints=[tmp_path / "mixed.jsonl"], method="local-global", settings=settings)
    seen: dict[str, int] = {}

    class Watching(Silent):
        def start(self, stage: str, steps: int, done: int) -> None:
            seen[stage] = steps

    run = planned.train(tmp_path / "run", reporter=Watching())
    annotated = 8 if used else 5
    passes = {"predicting the images": annotated, "making labels": annotated}
    assert seen == {"train": 8, "retrain-1": 8, **passes}
    labels = {path.stem for path in (run.root / "artifacts").glob("labels-*/labels/*.png")}
    assert len(labels) == (8 if used else 5)
    assert labels.isdisjoint(hint.image for hint in tagged) != used
    what = (run, planned.config, planned.method, planned.data)
    staged = StagedRun(*what, planned.hints, Silent(), None)
    every, some = Stage(name="any"), Stage(name="some", images="marked")
    assert len(staged._images(None, every)) == 8
    assert set(staged._images(None, some).names).isdisjoint(hint.image for hint in tagged)
    assert len(staged._images(None, some)) == 5
    alone = StagedRun(*what, {hint.image: hint for hint in tagged}, Silent(), None)
    assert len(alone._images(None, some)) == 3, "tags alone are better than nothing"


def test_the_networks_of_a_mixture_draw_images_by_what_their_hints_are_worth(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks = tmp_path / "clicks.jsonl"
    simulate(scenes, clicks, kind="clicks", split="train")
    clicked = {hint.image for hint in list(read_hints(clicks).values())[4:]}
    some = [hint for hint in read_hints(clicks).values() if hint.image in clicked]
    write_hints(tmp_path / "mixed.jsonl", [*list(read_hints(scribbles).values())[:4], *some])
    planned = plan(scenes, hints=[tmp_path / "mixed.jsonl"], settings=small)
    drawn: dict[str, Counter[str]] = defaultdict(Counter)
    stages: list[str] = []
    read = HintedImages.__getitem__

    def counted(self: HintedImages, key: Key) -> Sample:
        drawn[stages[-1]][self.names[key[1]]] += 1
        return read(self, key)

    class Watching(Silent):
        def start(self, stage: str, steps: int, done: int) -> None:
            stages.append(stage)

    monkeypatch.setattr(HintedImages, "__getitem__", counted)
    planned.train(tmp_path / "run", reporter=Watching())
    often = {
        stage: sum(drawn[stage][name] for name in clicked) / drawn[stage].total() for stage in stages if drawn[stage]
    }
    assert all(0 < share < 0.35 for share in often.values()), "half of the images, drawn a fourth as often"
