"""The example package, installed as a user would: its method is listed, trained, resumed and compared like ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "underpaint-entropy"
SMALL = ("views.crop=[32,32]", "train.batch=2", "train.epochs=2", "train.workers=0", "train.checkpoint_every=2")
OVERRIDES = [word for setting in SMALL for word in ("--set", setting)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the package; nothing of the environment or of the example changes."""
    root = tmp_path_factory.mktemp("package")
    shutil.copytree(EXAMPLE, root / "source")
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--target", str(root / "target"))
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(root / "source")], check=True)
    return root / "target"


def run(installed: Path | None, *words: object) -> str:
    """What ``python -m WORDS`` prints, with the package on the path or without it."""
    path = os.pathsep.join([*([str(installed)] if installed else []), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow  # pip, and six small trainings in processes of their own
def test_the_method_is_listed_trained_resumed_and_compared(
    installed: Path, scenes: Path, scribbles: Path, tmp_path: Path
) -> None:
    assert "│ entropy " in run(installed, "underpaint", "methods")
    listed = {each["name"]: each for each in json.loads(run(installed, "underpaint", "methods", "--json"))}
    assert listed["entropy"]["settings"]["weight"] == 0.02
    train = ("underpaint", "train", scenes, "--hints", scribbles, "--method", "entropy", *OVERRIDES, "-o")
    run(installed, *train, tmp_path / "run")
    whole = (tmp_path / "run" / "weights.safetensors").read_bytes()
    (tmp_path / "run" / "weights.safetensors").unlink()  # as after a kill behind the last checkpoint
    shutil.rmtree(tmp_path / "run" / "artifacts")
    run(installed, *train, tmp_path / "run", "--resume")
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == whole
    run(None, "underpaint", "predict", tmp_path / "run", scenes, "-o", tmp_path / "masks")
    assert len(list((tmp_path / "masks").glob("*.png"))) == 12, "prediction needs the weights alone"
    settings = (*OVERRIDES, "--set", "train.epochs=1", "--single-scale", "-o", tmp_path / "gap")
    assert "entropy" in run(installed, "underpaint", "gap", scenes, "--methods", "entropy", *settings)


@pytest.mark.slow
def test_the_tests_of_the_example_pass(installed: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "test_underpaint_entropy.py", tmp_path)
    assert "2 passed" in run(installed, "pytest", "-p", "no:cacheprovider", "-q", tmp_path)
