"""Large photographs between two stages: made smaller with their hints, and their labels larger again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.data.hinted import HintedImages
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.views import ViewConfig
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.open import open_dataset
from underpaint.doctor.estimate import estimate
from underpaint.hints.types import Click, Hints, Scribble
from underpaint.training.stage_inference import Count

HEIGHT, WIDTH = 120, 160


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """One photograph, left half black, right half white."""
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    halves = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    halves[:, WIDTH // 2 :] = 255
    Image.fromarray(halves).save(tmp_path / "images" / "a.png")
    return open_dataset(tmp_path)


HINTS = {
    "a": Hints(
        "a",
        shapes=(Click("cat", 120.5, 60.5), Scribble("background", ((20.0, 20.0), (20.0, 100.0)), 8.0)),
    )
}


def images(data: DataFolder, working: int | None, pseudo: PseudoLabels | None = None) -> HintedImages:
    views = ViewConfig(crop=(HEIGHT // 8 * 8 // 32 * 32, 160), scales=(1, 1), flip=False, colour_jitter=0)
    return HintedImages(data, HINTS, views, seed=0, working=working, pseudo=pseudo)


def test_a_large_photograph_is_made_smaller_with_its_hints(data: DataFolder) -> None:
    image = images(data, 40).training_image("a")
    assert image.rgb.shape == (30, 40, 3)
    assert image.full.shape == (HEIGHT, WIDTH, 3)
    assert (image.rgb[:, :19] == 0).all()
    assert (image.rgb[:, 21:] == 255).all()
    seeds = image.seeds
    assert seeds[15, 30] == 1  # the click at (120.5, 60.5), a quarter of it
    background = np.argwhere(seeds == 0)
    assert background[:, 1].tolist() == pytest.approx([5] * len(background), abs=1)
    assert set(range(6, 25)) <= set(background[:, 0].tolist())


@pytest.mark.parametrize("working", [None, 160, 1024])
def test_a_photograph_within_the_working_size_stays_as_it_is(data: DataFolder, working: int | None) -> None:
    image = images(data, working).training_image("a")
    assert image.rgb.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(image.rgb, image.full)


def test_labels_made_smaller_are_learned_at_the_photographs_own_size(data: DataFolder, tmp_path: Path) -> None:
    pseudo = PseudoLabels(tmp_path / "made", data.classes)
    small = np.zeros((30, 40), np.uint8)
    small[:, 20:] = 1
    small[0, 0] = 255
    pseudo.write_labels("a", small)
    made = images(data, 40, pseudo)._made("a")
    assert made is not None
    expected = [[int(small[row * 30 // 120, column * 40 // 160]) for column in range(WIDTH)] for row in range(HEIGHT)]
    assert made.tolist() == expected


class Watch:
    """A reporter that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def start(self, task: str, total: int, done: int) -> None:
        self.heard.append((task, total, done))

    def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
        self.heard.append((done,))

    def note(self, message: str) -> None:
        self.heard.append((message,))

    def finish(self) -> None:
        self.heard.append(("finished",))


def test_every_pass_over_the_images_is_watched(data: DataFolder) -> None:
    watch = Watch()
    count = Count(watch, 2)
    image = images(data, 40).training_image("a")
    assert len(list(count.each("predicting", iter([image, image])))) == 2
    count.one("making labels")
    count.one("making labels")
    count.close()
    predicting = [("predicting", 2, 0), (1,), (2,), ("finished",)]
    assert watch.heard == [*predicting, ("making labels", 2, 0), (1,), (2,), ("finished",)]


def test_the_estimate_of_a_large_photograph_holds_within_a_factor_of_two() -> None:
    # Measured: one photograph of 4000 x 3000 pixels with two strokes, local-global, two stages of one step each of 8
    # crops of 256 x 256: 60 core seconds, 1826 MB at the peak (benchmarks/results/large_photograph.json).
    expected = estimate(1, 12e6, cores=1, steps=2, rounds=1)
    assert 30 < expected.minutes * 60 < 120
    assert 1826 / 2 < expected.megabytes < 1826 * 2
