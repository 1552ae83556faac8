"""Settings of a run: the steps of a stage, the least number for small sets, and crops that fit the decoder."""

from __future__ import annotations

from pathlib import Path

import pytest

from underpaint import plan
from underpaint.core.config import parse_overrides
from underpaint.core.errors import ConfigError
from underpaint.training.config import RunConfig, TrainConfig
from underpaint.training.run_folder import RunFolder

METHOD = {"method": {"name": "partial"}}


@pytest.mark.parametrize(
    ("stated", "images", "length", "steps"),
    [
        ({}, 7, 1, 80),  # 20 passes would be 18 steps
        ({}, 32, 1, 80),  # 20 passes are 80 steps
        ({}, 33, 1, 82),
        ({}, 400, 1, 1000),
        ({}, 7, 0.5, 40),
        ({}, 7, 2, 160),
        ({"batch": 4}, 7, 1, 80),
        ({"epochs": 20}, 7, 1, 18),
        ({"epochs": 2}, 100, 1, 25),
        ({"epochs": 1}, 3, 1, 1),
        ({"epochs": 0.1}, 1, 1, 1),
        ({"epochs": 20, "least_steps": 50}, 7, 1, 50),
        ({"least_steps": 0}, 7, 1, 18),
        ({"least_steps": 300}, 7, 1, 300),
    ],
)
def test_steps_by_hand(stated: dict[str, float], images: int, length: float, steps: int) -> None:
    assert TrainConfig.parse(stated).steps(images, length) == steps


def test_written_settings_give_the_same_schedule_when_read_again() -> None:
    for train_settings in ({}, {"epochs": 5}, {"least_steps": 30}):
        config = RunConfig.parse({**METHOD, "train": train_settings})
        assert RunConfig.parse(config.model_dump(mode="json")) == config


def test_settings_of_a_run_before_there_was_a_least_number() -> None:
    held = RunConfig.parse(METHOD).model_dump(mode="json")
    del held["train"]["least_steps"]
    assert RunConfig.parse(held).train.steps(7, 1) == 18


def test_a_plan_says_that_a_small_set_gets_the_least_number(scenes: Path, scribbles: Path) -> None:
    two = ["method.settings.baseline=partial"]
    made = plan(scenes, hints=[scribbles], method="local-global", settings=two)
    assert made.steps == 160
    assert made.expected.steps == 160
    said = "\n".join(made.words())
    assert "8 images, 160 steps in 2 stage(s)" in said
    assert "20 passes are only 20 steps per stage; 80 are used (train.least_steps)" in said
    stated = plan(scenes, hints=[scribbles], method="local-global", settings=[*two, "train.epochs=20"])
    assert stated.steps == 40
    assert "least_steps" not in "\n".join(stated.words())


def test_a_training_takes_the_least_number_of_steps_and_resumes(scenes: Path, scribbles: Path, tmp_path: Path) -> None:
    overrides = ["views.crop=[32,32]", "train.batch=2", "train.workers=0", "train.least_steps=3"]
    overrides.append("train.epochs=0.25")
    made = plan(scenes, hints=[scribbles], method="partial", settings=overrides)
    run = made.train(tmp_path / "run")
    assert (run.root / "stages" / "0-train" / "checkpoints" / "step-00000003").is_dir()
    assert made.train(tmp_path / "run", resume=True).config == RunFolder(tmp_path / "run").config == made.config


@pytest.mark.parametrize(
    ("decoder", "fits", "refused", "nearest"),
    [
        ("deeplabv3plus", (208, 320), (200, 320), r"\(192, 320\)"),
        ("deeplabv3plus", (32, 48), (16, 32), r"\(32, 32\)"),
        ("unet", (192, 320), (208, 320), r"\(192, 320\)"),
        ("fpn", (32, 64), (32, 48), r"\(32, 64\)"),
        ("unet", (256, 256), (256, 1), r"\(256, 32\)"),
    ],
)
def test_a_crop_fits_the_decoder(decoder: str, fits: tuple[int, int], refused: tuple[int, int], nearest: str) -> None:
    def parse(crop: tuple[int, int]) -> RunConfig:
        return RunConfig.parse({**METHOD, "model": {"architecture": decoder}, "views": {"crop": crop}})

    assert parse(fits).views.crop == fits
    with pytest.raises(ConfigError, match=f"does not fit {decoder}, .*the nearest that does is {nearest}"):
        parse(refused)


def test_a_linear_decoder_takes_any_crop_since_it_draws_none() -> None:
    crop = (208, 300)
    assert RunConfig.parse({**METHOD, "model": {"architecture": "linear"}, "views": {"crop": crop}}).views.crop == crop


def test_arithmetic_that_overflows_is_not_offered() -> None:
    with pytest.raises(ConfigError, match=r"train\.precision"):
        RunConfig.parse({**METHOD, "train": {"precision": "16-mixed"}})


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("images.bands=red", "images.bands: must be auto or a list of names"),
        ("images.window=x", "images.window: must be dataset, image, two numbers"),
        ("images.window=[1, 2, 3]", "images.window: must be dataset, image, two numbers"),
        ("images.window=[[1, 2], [3]]", "images.window: must be dataset, image, two numbers"),
        ("images.window=[]", "images.window: must be dataset, image, two numbers"),
        ("model.architecture=fnp", "did you mean 'fpn'?"),
    ],
)
def test_a_setting_with_several_forms_is_refused_once_and_in_words(setting: str, said: str) -> None:
    with pytest.raises(ConfigError, match="1 setting") as raised:
        RunConfig.parse(METHOD | parse_overrides([setting]))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "setting", ["images.window=[[1, 2], [3, 4]]", "images.window=[0, 4095]", "images.bands=[1, a]"]
)
def test_a_setting_with_several_forms_takes_each(setting: str) -> None:
    RunConfig.parse(METHOD | parse_overrides([setting]))
