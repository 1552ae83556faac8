"""What `--method auto` chooses, and how it says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from underpaint import Plan, plan, simulate
from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.core.config import Settings
from underpaint.hints.types import Click, Hints, Kind, Tags
from underpaint.workflows.choice import choose, main_kinds


@pytest.mark.parametrize(
    ("kinds", "method", "settings"),
    [
        ({Kind.MASK}, "supervised", {}),
        ({Kind.TAG}, "sc-cam", {"rounds": 0}),
        ({Kind.BOX}, "box-uncertainty", {"projection_weight": 0.1, "pairwise_weight": 0.1}),
        ({Kind.BOX, Kind.MASK}, "box-uncertainty", {}),
        ({Kind.CLICK}, "gated-crf", {}),
        ({Kind.SCRIBBLE}, "local-global", {}),
        ({Kind.SCRIBBLE, Kind.TAG}, "local-global", {}),
        *(({Kind.SCRIBBLE, kind}, "local-global", {"balance": "images"}) for kind in (Kind.CLICK, Kind.MASK)),
        ({Kind.SCRIBBLE, Kind.BOX}, "local-global", {"baseline": "box-uncertainty", "balance": "images"}),
        (set(Kind), "local-global", {"baseline": "box-uncertainty", "balance": "images"}),
    ],
)
def test_the_method_for_each_mixture(kinds: set[Kind], method: str, settings: Settings) -> None:
    chosen = choose(dict.fromkeys(kinds, 1), background=True)
    assert (chosen.method, chosen.settings) == (method, settings)
    assert chosen.why
    other = choose(dict.fromkeys(kinds, 1), background=False)
    assert other.method == ("cam" if kinds == {Kind.TAG} else method)


def test_tags_count_where_they_stand_alone() -> None:
    tags = Tags(present=frozenset({"cat"}))
    both = Hints("a", shapes=(Click("cat", 1.0, 1.0),), tags=tags)
    assert main_kinds([both, Hints("b", tags=tags), Hints("c", tags=tags)]) == {Kind.CLICK: 1, Kind.TAG: 2}
    assert main_kinds([both]) == {Kind.CLICK: 1}


@pytest.fixture
def planned(scenes: Path, small: list[str], tmp_path: Path) -> Callable[..., Plan]:
    def of(kind: str, *overrides: str, method: str = "auto") -> Plan:
        hints = tmp_path / f"{kind}.jsonl"
        simulate(scenes, hints, kind=kind, seed=1)
        return plan(scenes, hints=[hints], method=method, settings=[*small, *overrides])

    return of


def test_a_mixture_is_planned_in_words(planned: Callable[..., Plan]) -> None:
    made = planned("mixture")
    assert made.config.method.name == "local-global"
    assert made.config.method.settings["baseline"] == "box-uncertainty"
    first, *lines = made.words()
    assert first.startswith("method local-global: a first model learns the hints")
    for kind, count in main_kinds(made.hints.values()).items():
        assert any(line.startswith(f"{count} image(s) with {kind.value}: ") for line in lines)
    assert lines[-2] == f"8 images, {made.steps} steps in 2 stage(s): train (box-uncertainty), retrain-1 (local-global)"
    assert re.fullmatch(r"about [\d.]+ minute\(s\) on \d+ core\(s\) without a GPU, .* \d+ MB of memory", lines[-1])


def test_settings_win_over_what_auto_would_set(planned: Callable[..., Plan]) -> None:
    held = planned("mixture", "method.settings.baseline=partial").config.method.settings
    assert held["baseline"] == "partial"
    asked = planned("mixture", method="partial")
    assert asked.choice.why == "it was requested"
    assert "baseline" not in asked.config.method.settings


@pytest.mark.parametrize("method", ["partial", "gated-crf", "local-global"])
def test_a_mixture_is_drawn_and_weighed_alike_by_every_method(planned: Callable[..., Plan], method: str) -> None:
    """The floor of a comparison among them: else the method would be measured against another sampling."""
    made = planned("mixture", method=method)
    assert made.config.method.settings["balance"] == "images"
    assert made.config.sampling == planned("mixture").config.sampling
    assert made.method.stages()[-1].images == "marked"
    assert planned("scribbles", method=method).config.method.settings["balance"] == "pixels"
    assert (
        planned("mixture", "method.settings.balance=pixels", method=method).config.method.settings["balance"]
        == "pixels"
    )


def test_minutes_grow_with_passes_and_stages(planned: Callable[..., Plan]) -> None:
    one = planned("scribbles", "train.epochs=100", "views.crop=[256,256]", method="partial").expected
    passes = ("train.epochs=100", "views.crop=[256,256]")
    fitted = planned("scribbles", *passes, method="local-global").expected
    assert fitted.epochs == 100
    two = planned("scribbles", *passes, "method.settings.baseline=partial", method="local-global").expected
    assert two.minutes == pytest.approx(2 * one.minutes, abs=0.2)  # both are rounded
    assert two.epochs == 200


def test_any_mixture_reaches_the_network(scenes: Path, small: list[str], tmp_path: Path) -> None:

    simulate(scenes, tmp_path / "boxes.jsonl", kind="boxes")
    simulate(scenes, tmp_path / "tags.jsonl", kind="tags")
    simulate(scenes, tmp_path / "strokes.jsonl", kind="scribbles")
    strokes, boxes, tags = (
        list(read_hints(tmp_path / f"{kind}.jsonl").values()) for kind in ("strokes", "boxes", "tags")
    )
    write_hints(tmp_path / "mixed.jsonl", [*strokes[:3], *boxes[3:6], *tags[6:]])
    made = plan(scenes, hints=[tmp_path / "mixed.jsonl"], settings=[*small, "method.settings.scales=[1.0]"])
    assert made.kinds.keys() >= {Kind.SCRIBBLE, Kind.BOX, Kind.TAG}
    run = made.train(tmp_path / "run")
    labels = {path.stem for path in (run.root / "artifacts").glob("labels-retrain-1-*/labels/*.png")}
    assert labels == {hint.image for hint in strokes[:6]}, "images with boxes are annotated, with tags alone left out"
