"""The passes of a training from the minutes that a person allows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tiny import TINY

import underpaint
from underpaint.core.errors import ConfigError, RunError
from underpaint.training.loop import TIMED, WARM
from underpaint.training.run_folder import RunFolder
from underpaint.training.stages import StagedRun
from underpaint.workflows.planning import Plan

SMALL = [*TINY, "views.crop=[32,32]", "train.batch=2", "train.workers=0"]


@pytest.fixture
def planned(scenes: Path, scribbles: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    """Plans of 8 photographs on a machine on which a step takes two seconds."""
    monkeypatch.setattr(StagedRun, "step_seconds", lambda staged: 2.0)

    def make(minutes: float | None, method: str = "partial", settings: tuple[str, ...] = ()) -> Plan:
        return underpaint.plan(scenes, hints=scribbles, method=method, settings=[*SMALL, *settings], minutes=minutes)

    return make


@pytest.mark.parametrize("method", ["partial", "local-global"])
@pytest.mark.parametrize("minutes", [3.0, 5.0])
def test_the_steps_and_all_else_take_the_minutes(planned: Callable[..., Plan], method: str, minutes: float) -> None:
    made, usual = planned(minutes, method), planned(None, method)
    timing = (WARM + TIMED) * 2 / 60
    assert minutes * 0.9 < made.expected.minutes + timing < minutes, "not more, and not much less"
    assert made.steps * 2 / 60 < minutes
    assert (
        made.steps
        == made.expected.steps
        == sum(made.config.train.steps(8, s.schedule.epochs) for s in made.method.stages() if not s.network.fitted)
    )
    assert made.config.model_copy(update={"train": usual.config.train}) == usual.config, "only the passes differ"
    assert made.source == {**usual.source, "minutes": minutes}
    said = made.words()
    assert said[-2].startswith(
        f"{made.config.train.epochs:g} passes in {minutes:g} minute(s), because a step takes 2 s"
    )
    assert "factor" not in said[-1]


def test_few_steps_are_named_and_many_have_a_limit(planned: Callable[..., Plan]) -> None:
    few, enough, many = planned(1.0), planned(5.0), planned(1000.0)
    assert "fewer than 80 give much worse masks" in few.timed
    assert "steps" not in enough.timed.partition("because a step")[2].replace("takes", "")
    assert many.steps == 4 * 80, "8 photographs: the usual number is 80 steps"
    assert "this is the largest number, 4 times the usual one" in many.timed


def test_what_cannot_be_is_refused(planned: Callable[..., Plan]) -> None:
    refused = r"(?s)0\.01 minute\(s\) are too few: a step takes 2 s .*accepted: \d\.\d minutes or more"
    with pytest.raises(ConfigError, match=refused) as error:
        planned(0.01)
    least = float(str(error.value).partition("accepted: ")[2].partition(" ")[0])
    assert planned(least).steps in range(1, 5), "what the message accepts is accepted"
    with pytest.raises(ConfigError):
        planned(least - 0.2)
    for minutes in (0.0, -1.0, float("nan"), float("inf"), "3"):
        with pytest.raises(ConfigError, match=r"(?s)minutes: .*a number above 0"):
            planned(minutes)
    for stated in ("train.epochs=3", "train.least_steps=3"):
        with pytest.raises(ConfigError, match=f"{stated[:-2]} states it too"):
            planned(3.0, settings=(stated,))


def test_a_recipe_may_state_passes(planned: Callable[..., Plan], scenes: Path, scribbles: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train: {epochs: 7}\n")
    made = underpaint.plan(scenes, hints=scribbles, method="partial", config=recipe, settings=SMALL, minutes=3.0)
    assert made.config == planned(3.0).config


@pytest.mark.parametrize("method", ["gated-crf", "sc-cam"])
def test_a_step_is_timed_and_nothing_is_kept(scenes: Path, scribbles: Path, tmp_path: Path, method: str) -> None:
    """`sc-cam` fits its first stage; the first that takes steps learns from labels that are not there yet."""
    hints = scribbles
    if method == "sc-cam":
        hints = tmp_path / "tags.jsonl"
        underpaint.simulate(scenes, hints, kind="tags")
    made = underpaint.plan(scenes, hints=hints, method=method, settings=SMALL, minutes=2.0)
    assert 0 < made.config.train.epochs <= 80
    assert made.config.train.least_steps == 0
    assert {path.name for path in tmp_path.iterdir()} <= {"tags.jsonl"}


def test_a_method_without_steps_says_so(scenes: Path, scribbles: Path) -> None:
    with pytest.raises(ConfigError, match="takes no optimiser steps"):
        underpaint.plan(scenes, hints=scribbles, method="quick", minutes=3.0)


def test_a_run_goes_on_with_its_passes(
    scenes: Path, scribbles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"

    def train(minutes: float | None, *, resume: bool) -> RunFolder:
        return underpaint.train(
            scenes, out, hints=scribbles, method="partial", settings=SMALL, minutes=minutes, resume=resume
        )

    monkeypatch.setattr(StagedRun, "step_seconds", lambda staged: 2.0)
    out.mkdir()
    begun = train(1.0, resume=True).config  # it was stopped before it wrote its settings: the step is timed
    assert begun.train.steps(8, 1) < 20
    monkeypatch.setattr(StagedRun, "step_seconds", lambda staged: pytest.fail("no step is timed again"))
    (out / "weights.safetensors").unlink()
    assert train(1.0, resume=True).config == begun
    with pytest.raises(RunError, match=r"began with 1 minute\(s\), but now 2 minute\(s\) are requested"):
        train(2.0, resume=True)
    with pytest.raises(RunError, match=r"train\.epochs"):
        train(None, resume=True)
    plain = tmp_path / "plain"
    underpaint.train(scenes, plain, hints=scribbles, method="partial", settings=[*SMALL, "train.epochs=0.5"])
    out = plain
    with pytest.raises(RunError, match="began without a number of minutes"):
        train(2.0, resume=True)
