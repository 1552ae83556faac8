from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.tiny import TINY

import underpaint


@pytest.fixture(scope="session")
def run(scenes: Path, scribbles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training of a tiny network: what it answers does not matter."""
    out = tmp_path_factory.mktemp("runs") / "run"
    settings = [*TINY, "views.crop=[32,32]", "train.batch=2", "train.epochs=1", "train.workers=0"]
    underpaint.train(scenes, out, hints=scribbles, method="partial", settings=settings)
    return out


def draw(folder: Path, count: int, *, side: int = 24) -> list[Path]:
    """Photographs of noise with the names 0000.png, 0001.png and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:04d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        rgb = np.random.default_rng(number).integers(0, 256, (side, side + number % 5, 3), np.uint8)
        Image.fromarray(rgb).save(path)
    return paths


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Ten photographs, two of them in a folder of their own."""
    draw(tmp_path / "album", 8)
    draw(tmp_path / "album" / "trip", 2, side=30)
    return tmp_path / "album"
