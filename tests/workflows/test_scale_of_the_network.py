"""Small images are enlarged by default, for every method alike, and a number in the settings is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.tiny import TINY

from underpaint import doctor, plan
from underpaint.core.classes import ClassTable
from underpaint.datasets.sizes import enlargement
from underpaint.methods.registry import make_method
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network

METHODS = ["partial", "gated-crf", "local-global", "quick", "supervised"]


@pytest.mark.parametrize(("side", "factor"), [
    (1.0, 2.0), (80, 2.0), (240, 2.0), (320, 1.5), (333, 1.4414), (480, 1.0), (500, 1.0), (4000, 1.0),
])  # fmt: skip
def test_enlargement(side: float, factor: float) -> None:
    assert enlargement(side) == factor


@pytest.mark.parametrize("method", METHODS)
def test_a_plan_settles_the_scale_for_every_method(scenes: Path, scribbles: Path, method: str) -> None:
    hints = [] if method == "supervised" else [scribbles]
    assert plan(scenes, hints=hints, method=method).config.model.scale == 2.0  # of images of 64 x 80 pixels
    assert plan(scenes, hints=hints, method=method, settings=["model.scale=1"]).config.model.scale == 1.0


@pytest.mark.parametrize(("given", "side", "usual", "quick"), [
    ("auto", 320.0, 1.5, 1.5), ("auto", 800.0, 1.0, 1.0), ("auto", 4096.0, 1.0, 0.25),
    (2.0, 320.0, 2.0, 2.0), (0.5, 800.0, 0.5, 0.5), (0.1, 4096.0, 0.1, 0.1),
])  # fmt: skip
def test_large_images_are_reduced_by_quick_alone(given: object, side: float, usual: float, quick: float) -> None:
    classes, model = ClassTable.of(("a", "b")), ModelConfig.parse({"scale": given})
    for name, expected in (("partial", usual), ("quick", quick)):
        assert make_method(name, {}, classes).network(model, side).scale == expected


def test_a_network_without_a_training_takes_auto_as_1() -> None:
    torch.manual_seed(0)
    made = Network(ModelConfig(encoder="test_efficientnet", weights="none", width=32), 2)
    image = torch.rand(1, 3, 32, 64)
    assert made.scaled(image) is image


def test_the_plan_expects_the_time_of_the_enlarged_crops(scenes: Path, scribbles: Path) -> None:
    usual = [*TINY, "train.epochs=400", "views.crop=[128,128]"]
    minutes = [
        plan(scenes, hints=[scribbles], method="partial", settings=[*usual, f"model.scale={scale}"]).expected.minutes
        for scale in (1, 2)
    ]
    assert 3.5 < minutes[1] / minutes[0] < 4.05


@pytest.mark.parametrize(("given", "side"), [("auto", 128), ("1.0", 256), ("1.5", 192), ("0.25", 1024), ("4", 64)])
def test_usual_crops_show_the_network_the_same_number_of_pixels(
    scenes: Path, scribbles: Path, given: str, side: int
) -> None:
    """Or a few more, since crops have multiples of 32."""
    made = plan(scenes, hints=[scribbles], method="partial", settings=[f"model.scale={given}"])
    assert made.config.views.crop == (side, side)
    kept = plan(scenes, hints=[scribbles], method="partial", settings=[f"model.scale={given}", "views.crop=[64,96]"])
    assert kept.config.views.crop == (64, 96)


def test_the_report_of_the_doctor_expects_the_same_minutes_as_the_plan(scenes: Path, scribbles: Path) -> None:
    made = plan(scenes, hints=[scribbles], method="partial").expected
    assert doctor(scenes, hints=[scribbles]).estimate == made
