"""Trainings of two processes against those of one: the same curve, layout and labels; a killed rank; resuming."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.tiny import TINY

from underpaint import simulate, train
from underpaint.core.digest import file_digest
from underpaint.core.errors import ConfigError, InterruptionError, RunError
from underpaint.core.worker import Worker
from underpaint.methods.partial.method import Partial
from underpaint.training import processes
from underpaint.training.reporter import Silent
from underpaint.training.run_folder import read_events

SETTINGS = [
    *TINY, "views.crop=[32,32]", "train.batch=8", "train.accumulate=4", "train.epochs=12", "train.workers=0",
    "train.checkpoint_every=6", "train.ema=0.9", "model.freeze_batch_norm=false", "train.lr=1e-4",
]  # fmt: skip
"""12 steps on 8 images, reported at 10 and 12; checkpoints at 6 and 12. Batch normalisation and dropout are trained.

One process adds the gradients of four parts in another order than two ranks. AdamW enlarges such differences in the
last digit where a gradient is nearly zero, as those of biases before batch normalisation are: at the usual rate of 1e-3
the curves of this untrained network are 3e-5 apart after ten steps, exactly as those of one process that adds in the
order of two ranks. At this rate they are 2e-8 apart.
"""


class At(Silent):
    """Does something when the first ten steps are reported."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
        """Act, once."""
        if done == 10:
            self.act()


def trained(scenes: Path, scribbles: Path, out: Path, devices: int, **how: Any) -> Path:
    settings = [*SETTINGS, f"train.devices={devices}"]
    return train(scenes, out, hints=scribbles, method="partial", settings=settings, **how).root


@pytest.fixture(scope="module")
def one(scenes: Path, scribbles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    return trained(scenes, scribbles, tmp_path_factory.mktemp("one") / "run", 1)


def curve(run: Path) -> list[tuple[int, float]]:
    events = (event for event, _ in read_events(run / "events.jsonl") if event["event"] == "steps")
    return [(event["step"], event["loss/seeds"]) for event in events]


def assert_the_same_training(run: Path, one: Path) -> None:
    assert [step for step, _ in curve(run)] == [step for step, _ in curve(one)] == [10, 12]
    assert [loss for _, loss in curve(run)] == pytest.approx([loss for _, loss in curve(one)], rel=1e-5)
    weights, expected = (load_file(folder / "weights.safetensors") for folder in (run, one))
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=1e-3, atol=1e-4, msg=name)


def layout(run: Path) -> dict[str, Any]:
    """Every file of the checkpoints, with the names, shapes and types of its tensors, or the keys of its table."""
    found: dict[str, Any] = {}
    for path in sorted(run.glob("stages/*/checkpoints/*/*")):
        if path.suffix == ".safetensors":
            found[str(path.relative_to(run))] = {n: (t.shape, t.dtype) for n, t in load_file(path).items()}
        else:
            state = json.loads(path.read_text())
            found[str(path.relative_to(run))] = (state["step"], state["inputs"], list(state["logged"]["sums"]))
    return found


@pytest.mark.slow
def test_two_ranks_train_as_one_process(scenes: Path, scribbles: Path, one: Path, tmp_path: Path) -> None:
    two = trained(scenes, scribbles, tmp_path / "two", 2)
    assert_the_same_training(two, one)
    assert layout(two) == layout(one) != {}
    assert sorted(path.name for path in two.iterdir()) == sorted(path.name for path in one.iterdir())


@pytest.mark.slow
def test_a_killed_rank_is_named_and_one_process_goes_on(
    scenes: Path, scribbles: Path, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Worker] = []
    start = processes._worker

    def watched(*given: Any) -> Worker:
        started.append(start(*given))
        return started[-1]

    monkeypatch.setattr(processes, "_worker", watched)
    run = tmp_path / "run"
    kill = At(lambda: os.kill(started[0].process.pid, signal.SIGKILL))
    with pytest.raises(RunError, match=r"rank 1 .* killed by SIGKILL(?s:.*)--resume") as caught:
        trained(scenes, scribbles, run, 2, reporter=kill)
    assert caught.value.exit_code == 1
    assert not torch.distributed.is_initialized()
    assert [path.name for path in run.glob("stages/*/checkpoints/*")] == ["step-00000006"]
    trained(scenes, scribbles, run, 1, resume=True)
    assert_the_same_training(run, one)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_an_interrupted_training_keeps_a_checkpoint_from_which_two_ranks_continue(
    scenes: Path, scribbles: Path, one: Path, tmp_path: Path, ranks: int
) -> None:
    run, before = tmp_path / "run", torch.get_num_threads()
    interrupt = At(lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(InterruptionError, match="interrupted after step 10 of 12"):
        trained(scenes, scribbles, run, ranks, reporter=interrupt)
    assert sorted(path.name for path in run.glob("stages/*/checkpoints/*")) == ["step-00000006", "step-00000010"]
    with pytest.raises(RunError, match="not empty"):
        trained(scenes, scribbles, run, ranks)
    trained(scenes, scribbles, run, 2, resume=True)
    assert_the_same_training(run, one)
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_labels_that_ranks_make_together_are_those_of_one_process(scenes: Path, tmp_path: Path) -> None:
    tags = tmp_path / "tags.jsonl"
    simulate(scenes, tags, kind="tags", split="train")
    settings = [*SETTINGS, "train.epochs=1"]
    for devices in (1, 2):
        shared = [*settings, f"train.devices={devices}"]
        train(scenes, tmp_path / f"{devices}", hints=tags, method="cam", settings=shared)
    made = [
        {
            path.relative_to(tmp_path / devices): file_digest(path)
            for kind in ("labels", "responses", "trained-classify")
            for path in (tmp_path / devices / "artifacts").glob(f"{kind}-*/**/*")
            if path.is_file()
        }
        for devices in ("1", "2")
    ]
    assert len({path.parts[1].rpartition("-")[0] for path in made[0]}) == 3, "artifacts have other names"
    assert made[0] == made[1]


def test_a_method_that_no_other_process_can_import_is_refused(scenes: Path, scribbles: Path, tmp_path: Path) -> None:
    class Local(Partial):
        """A method of this function."""

        name = "local"

    with pytest.raises(ConfigError, match="in the script itself or in a function"):
        train(scenes, tmp_path / "run", hints=scribbles, method=Local, settings=[*SETTINGS, "train.devices=2"])
    assert not (tmp_path / "run").exists()


COMMAND = """
import atexit
import torch
from underpaint.cli import main
atexit.register(lambda: print("still connected" if torch.distributed.is_initialized() else "", end=""))
main()
"""
"""The command, which also says if threads of gloo may still run when Python ends. They sometimes abort the process."""


def _ranks(scenes: Path, scribbles: Path, out: Path, *more: str) -> list[subprocess.Popen[str]]:
    """The commands of two ranks, with the variables that srun gives them."""
    settings = [word for one in (*SETTINGS, "train.devices=2", *more) for word in ("--set", one)]
    words = ["train", str(scenes), "-o", str(out), "--hints", str(scribbles), "--method", "partial", *settings]
    job = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NODEID": "0", "SLURM_NODELIST": "127.0.0.1"}
    step = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "1", "SLURM_NNODES": "1", "SLURM_JOB_NAME": "train"}
    environment = {**os.environ, **job, **step, "MASTER_PORT": str(20000 + os.getpid() % 10000)}
    return [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, *words],
            env={**environment, "SLURM_PROCID": rank, "SLURM_LOCALID": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]


@pytest.mark.slow
def test_ranks_of_a_launcher_train_and_only_the_first_prints(
    scenes: Path, scribbles: Path, one: Path, tmp_path: Path
) -> None:
    first, second = _ranks(scenes, scribbles, tmp_path / "run")
    said = [each.communicate(timeout=300) for each in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert said[0][0].startswith(f"trained: {tmp_path / 'run'}\n")
    assert "still connected" not in said[0][0]
    assert said[1] == ("", "")
    assert_the_same_training(tmp_path / "run", one)


@pytest.mark.slow
def test_a_launched_rank_that_is_killed_stops_the_other_with_a_message(
    scenes: Path, scribbles: Path, tmp_path: Path
) -> None:
    first, second = _ranks(scenes, scribbles, tmp_path / "run", "train.epochs=10000")
    for line in iter(first.stderr.readline, "") if first.stderr is not None else ():
        if line.startswith("train "):  # steps are being reported
            break
    second.kill()
    second.communicate(timeout=60)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 1, said
    assert "another process of the training ended" in said
    assert "--resume" in said
    assert "Traceback" not in said
