"""The installed command, from photographs and masks to hints, a network, masks and scores."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from underpaint.cli import app
from underpaint.core.errors import UnderpaintError

COMMAND = [str(Path(sys.executable).parent / "underpaint")]
SMALL = ["views.crop=[64,64]", "train.batch=4", "train.epochs=3", "train.workers=0"]


def run(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def settings(*more: str) -> list[str]:
    return [word for setting in (*SMALL, *more) for word in ("--set", setting)]


@pytest.fixture(scope="module")
def trained(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run from scribbles, by the command alone."""
    folder = tmp_path_factory.mktemp("e2e")
    run("simulate", scenes, "--kind", "scribbles", "-o", folder / "s.jsonl")
    run("train", scenes, "--hints", folder / "s.jsonl", "--method", "gated-crf", "-o", folder / "run", *settings())
    return folder / "run"


def test_help_is_instant() -> None:
    began = time.perf_counter()
    shown = run("--help").stdout
    assert all(verb in shown for verb in ("demo", "simulate", "train", "predict", "evaluate", "methods"))
    assert time.perf_counter() - began < 10, "help must not import torch"


def test_run_folder_holds_what_it_should(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"config.yaml", "about.json", "classes.json", "events.jsonl", "weights.safetensors", "curves.png"} <= names
    about = json.loads((trained / "about.json").read_text())
    assert about["kinds"] == {"scribbles": 8, "tags": 8}
    assert about["versions"]["torch"]
    events = [json.loads(line) for line in (trained / "events.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["event"] == "steps"]
    assert (events[-1]["event"], events[-1]["step"]) == ("trained", 6)
    assert np.isfinite([event["loss/gated-crf"] for event in steps]).all()
    with Image.open(trained / "samples.png") as samples:
        assert samples.width == 800


def test_predict_keeps_names_and_sizes_and_evaluate_scores_them(trained: Path, scenes: Path, tmp_path: Path) -> None:
    run("predict", trained, scenes / "images", "-o", tmp_path / "masks", "--flip", "--scales", "1,1.25")
    for photo in (scenes / "images").iterdir():
        with Image.open(photo) as image, Image.open(tmp_path / "masks" / f"{photo.stem}.png") as mask:
            assert mask.size == image.size
            assert mask.mode == "P"
    with (tmp_path / "masks" / "summary.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 12
    scores = json.loads(run("evaluate", tmp_path / "masks", scenes, "--json").stdout)
    table = run("evaluate", tmp_path / "masks", scenes).stdout
    assert f"mIoU {scores['miou']:.2f}" in table.replace("\n", " ")


def test_perfect_masks_score_100(scenes: Path) -> None:
    assert json.loads(run("evaluate", scenes / "masks", scenes, "--json").stdout)["miou"] == 100


def test_masks_are_full_supervision_by_default(scenes: Path, tmp_path: Path) -> None:
    said = run("train", scenes, "-o", tmp_path / "run", "--dry-run").stderr
    assert "method supervised: all images have masks" in said
    assert "8 image(s) with masks" in said
    assert "minute(s) on" in said
    assert not (tmp_path / "run").exists()


def test_resume_of_nothing_is_refused(scenes: Path, tmp_path: Path) -> None:
    said = run("train", scenes, "-o", tmp_path / "run", "--resume", *settings(), code=1).stderr
    assert "nothing to resume" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--method", "gated-cfr"], "did you mean 'gated-crf'?"),
        (["--set", "train.epoch=3"], "did you mean 'epochs'?"),
        (["--set", "views.crop=[100,100]"], "the nearest that does is (96, 96)"),
        (["--split", "trian"], "trian"),
        (["--hints", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--set", "model.encoder=resnet1"], "did you mean"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(
    scenes: Path, tmp_path: Path, words: list[str], expected: str
) -> None:
    """In this process, because starting a command for each takes half a minute; the next test starts one."""
    asked = CliRunner().invoke(app, ["train", str(scenes), "-o", str(tmp_path / "run"), *words])
    assert isinstance(asked.exception, UnderpaintError)
    assert expected in str(asked.exception)


def test_a_wrong_word_is_answered_on_the_terminal(scenes: Path, tmp_path: Path) -> None:
    said = run("train", scenes, "-o", tmp_path / "run", "--set", "train.epoch=3", code=1).stderr
    assert "did you mean 'epochs'?" in " ".join(said.split())


def test_methods_lists_the_registry() -> None:
    listed = json.loads(run("methods", "--json").stdout)
    assert [method["name"] for method in listed] == [
        "supervised",
        "partial",
        "quick",
        "dense-crf-loss",
        "gated-crf",
        "local-global",
        "cam",
        "rrm",
        "sc-cam",
        "box-uncertainty",
    ]
