"""What all tests share: one thread, real data if it is there, a small synthetic data set."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.tiny import TINY

REPOSITORY = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get("UNDERPAINT_DATA", REPOSITORY.parent / "shared" / "data"))


def pytest_configure() -> None:
    """Ctrl-C stops what it stops for a person, also where the tests run as a background job, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs with masks and weak labels."""
    if not REAL_DATA.is_dir():
        pytest.skip(
            f"no real data at {REAL_DATA}: set UNDERPAINT_DATA to a folder with msrc21, voc_animals, voc_sample"
        )
    return REAL_DATA


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 8 + 4 synthetic scenes of 64x80 pixels."""
    from underpaint.data.synthetic import write_dataset

    root = tmp_path_factory.mktemp("data") / "scenes"
    write_dataset(root, train=8, test=4, size=(64, 80), seed=0)
    return root


@pytest.fixture(scope="session")
def scribbles(scenes: Path) -> Path:
    """Simulated scribbles of the scenes' training split."""
    from underpaint import simulate

    path = scenes.parent / "scribbles.jsonl"
    simulate(scenes, path, kind="scribbles")
    return path


@pytest.fixture
def small() -> list[str]:
    """Overrides that make a training a matter of seconds."""
    return [
        *TINY,
        "views.crop=[32,32]",
        "train.batch=2",
        "train.epochs=2",
        "train.workers=0",
        "train.checkpoint_every=2",
    ]
