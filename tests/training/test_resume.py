"""An interrupted run that resumes ends with the bytes of one that was never interrupted."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from underpaint import plan
from underpaint.core.errors import RunError
from underpaint.methods.gated_crf.method import GatedCrfConfig
from underpaint.training.reporter import Silent
from underpaint.training.run_folder import read_events
from underpaint.workflows.run import Run

SCRIPT = """
import os, signal, sys
from underpaint import plan
from underpaint.training.loop import Loop

data, out, hints, die_at, resume, *overrides = sys.argv[1:]
step = Loop._step
def deadly(self, parts, progress):
    if progress.step == int(die_at):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, parts, progress)
Loop._step = deadly
if __name__ == "__main__":
    planned = plan(data, hints=hints, method="gated-crf", settings=overrides)
    planned.train(out, resume=resume == "resume")
"""


def _run(data: Path, out: Path, hints: Path, overrides: list[str], *, die_at: int = -1, resume: bool = False) -> int:
    arguments = [str(data), str(out), str(hints), str(die_at), "resume" if resume else "new", *overrides]
    return subprocess.run([sys.executable, "-c", SCRIPT, *arguments], check=False, timeout=300).returncode


def _digest(run: Path) -> str:
    return hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_run_resumes_to_identical_weights(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, workers: int
) -> None:
    overrides = [*small, f"train.workers={workers}", "train.ema=0.9"]
    whole = tmp_path / "whole"
    plan(scenes, hints=[scribbles], method="gated-crf", settings=overrides).train(whole)

    cut = tmp_path / "cut"
    code = _run(scenes, cut, scribbles, overrides, die_at=5)  # after the checkpoint of step 4, in step 6 of 8
    assert code == -signal.SIGKILL
    assert not (cut / "weights.safetensors").exists()
    plan(scenes, hints=[scribbles], method="gated-crf", settings=overrides).train(cut, resume=True)

    assert _digest(cut) == _digest(whole)
    assert (cut / "curves.png").read_bytes() == (whole / "curves.png").read_bytes()
    steps = [event["step"] for event, _ in read_events(cut / "events.jsonl") if event["event"] == "steps"]
    assert steps == sorted(set(steps)), "steps that were done again are logged twice"


def test_weights_do_not_depend_on_workers(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path) -> None:
    for workers in (0, 1):
        plan(scenes, hints=[scribbles], method="gated-crf", settings=[*small, f"train.workers={workers}"]).train(
            tmp_path / str(workers),
        )
    assert _digest(tmp_path / "0") == _digest(tmp_path / "1")


def test_seed_changes_weights(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path) -> None:
    for seed in (0, 1):
        plan(scenes, hints=[scribbles], method="gated-crf", settings=[*small, "train.epochs=1", f"seed={seed}"]).train(
            tmp_path / str(seed),
        )
    assert _digest(tmp_path / "0") != _digest(tmp_path / "1")


def test_ctrl_c_leaves_a_run_that_resumes(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path) -> None:
    class Impatient(Silent):
        def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    overrides = [*small, "train.epochs=4", "train.checkpoint_every=100"]  # 16 steps; the first report is at 10
    with pytest.raises(RunError, match=r"interrupted after step 1[01] of 16"):
        plan(scenes, hints=[scribbles], method="gated-crf", settings=overrides).train(
            tmp_path / "cut",
            reporter=Impatient(),
        )
    plan(scenes, hints=[scribbles], method="gated-crf", settings=overrides).train(tmp_path / "cut", resume=True)
    plan(scenes, hints=[scribbles], method="gated-crf", settings=overrides).train(tmp_path / "whole")
    assert _digest(tmp_path / "cut") == _digest(tmp_path / "whole")


def test_resume_with_nothing_there_is_an_error(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nothing to resume"):
        plan(scenes, hints=[scribbles], method="gated-crf", settings=small).train(tmp_path / "none", resume=True)


def test_resume_with_other_settings_names_them(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path) -> None:
    plan(scenes, hints=[scribbles], method="gated-crf", settings=[*small, "train.epochs=1"]).train(tmp_path / "run")
    with pytest.raises(RunError, match=r"train\.lr: 0\.001 -> 0\.5"):
        plan(scenes, hints=[scribbles], method="gated-crf", settings=[*small, "train.epochs=1", "train.lr=0.5"]).train(
            tmp_path / "run",
            resume=True,
        )


def test_a_run_keeps_all_settings_of_its_method(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path
) -> None:
    planned = plan(scenes, hints=[scribbles], method="gated-crf", settings=[*small, "train.epochs=1"])
    run = planned.train(tmp_path / "run")
    assert run.config.method.settings == GatedCrfConfig().model_dump(mode="json")

    shortened = yaml.safe_load((run.root / "config.yaml").read_text())
    shortened["method"]["settings"] = {}  # as earlier versions left it
    (run.root / "config.yaml").write_text(yaml.safe_dump(shortened))
    assert planned.train(tmp_path / "run", resume=True).complete


def test_a_folder_in_use_is_not_overwritten(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        plan(scenes, hints=[scribbles], method="gated-crf", settings=small).train(tmp_path / "run")
    assert (tmp_path / "run" / "thesis.txt").read_text() == "mine"


def test_unfinished_run_does_not_predict(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path) -> None:
    assert _run(scenes, tmp_path / "cut", scribbles, small, die_at=3) == -signal.SIGKILL
    with pytest.raises(RunError, match="not finished"):
        Run(tmp_path / "cut").network()
