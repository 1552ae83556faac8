"""Paths as texts, one or several, arrays, settings in every form; and what is refused, with the way on."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import underpaint
from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, DataError, HintError, RunError
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.images import read_rgb
from underpaint.imagefiles.masks import read_index_mask
from underpaint.methods.gated_crf.method import GatedCrf, GatedCrfConfig
from underpaint.methods.partial.method import Partial


class Mine(Partial):
    """A method that no registry knows."""

    name: ClassVar[str] = "mine"


@pytest.fixture(scope="module")
def run(scenes: Path, scribbles: Path, tmp_path_factory: pytest.TempPathFactory) -> underpaint.Run:
    settings = {"views.crop": (32, 32), "train": {"batch": 2, "epochs": 1, "workers": 0}}
    out = str(tmp_path_factory.mktemp("runs") / "run")
    return underpaint.train(str(scenes), out, hints=str(scribbles), method=Mine, settings=settings)


def test_a_run_predicts_paths_and_arrays_alike(run: underpaint.Run, scenes: Path) -> None:
    path = scenes / "images" / "test-0000.png"
    pixels = read_rgb(path)
    of_array, of_path = run.predict(pixels), run.predict(str(path))
    mask, probabilities = of_array
    np.testing.assert_array_equal(mask, of_path.mask)
    np.testing.assert_array_equal(mask, probabilities.argmax(axis=0))
    assert probabilities.shape == (len(of_array.classes), *pixels.shape[:2])
    assert of_array.classes == run.classes.names == underpaint.open_dataset(scenes).classes.names


def test_a_run_is_opened_without_its_method_and_scores_as_its_masks_do(
    run: underpaint.Run, scenes: Path, tmp_path: Path
) -> None:
    again = underpaint.load_run(str(run.root))
    assert again.config.method.name == "mine"
    summary = underpaint.predict(str(run.root), str(scenes), str(tmp_path / "masks"))
    assert (summary.written, dict(summary.skipped)) == (12, {})
    folder = underpaint.evaluate(str(tmp_path / "masks"), str(scenes))
    assert again.evaluate(str(scenes)).to_json() == folder.to_json()
    data = underpaint.open_dataset(scenes)
    masks = {name: again.predict(data.images[name]).mask for name in data.split("test")}
    assert underpaint.evaluate(masks, scenes).to_json() == folder.to_json()
    truth = {name: read_index_mask(data.masks[name], data.classes) for name in masks}
    arrays = underpaint.evaluate(masks, truth, classes=data.classes.names)
    assert (arrays.matrix == folder.matrix).all()


IMAGES: dict[str, tuple[Any, str]] = {
    "fractions": (np.zeros((8, 8, 3), np.float32), r"shape \(8, 8, 3\) and type float32(.|\n)*255 \* image"),
    "16 bits": (np.zeros((8, 8, 3), np.uint16), r"uint16(.|\n)*window of values"),
    "whole numbers": (np.zeros((8, 8, 3), np.int64), r"int64(.|\n)*astype"),
    "channels first": (np.zeros((3, 8, 8), np.uint8), r"shape \(3, 8, 8\)(.|\n)*transpose"),
    "alpha": (np.zeros((8, 8, 4), np.uint8), r"shape \(8, 8, 4\)(.|\n)*alpha"),
    "grey": (np.zeros((8, 8), np.uint8), r"shape \(8, 8\)(.|\n)*repeat"),
    "empty": (np.zeros((0, 8, 3), np.uint8), r"not empty"),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_arrays_that_are_no_photograph(run: underpaint.Run, kind: str) -> None:
    image, said = IMAGES[kind]
    with pytest.raises(DataError, match=said):
        run.predict(image)


def test_other_things_than_paths_are_named(run: underpaint.Run, scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="image is a list"):
        run.predict([[1]])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="hints is a int"):
        underpaint.plan(scenes, hints=[3])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="data is a NoneType"):
        underpaint.doctor(None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"draw is 'cam'(.|\n)*responses"):
        underpaint.predict(run.root, scenes, tmp_path, draw="cam")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"scales: give one scale or more"):
        run.predict(scenes / "images" / "test-0000.png", scales=9)
    with pytest.raises(ConfigError, match=r"unknown kind of hints: 'scribble'(.|\n)*scribbles"):
        underpaint.simulate(scenes, kind="scribble")
    with pytest.raises(RunError, match="not a run folder"):
        underpaint.load_run(str(scenes))


MASKS: dict[str, tuple[Any, str]] = {
    "probabilities": (np.zeros((2, 4, 4)), r"shape \(2, 4, 4\) and type float64(.|\n)*argmax"),
    "another size": (np.zeros((4, 5), np.uint8), "5 x 4 pixels, the ground truth 4 x 4"),
    "negative": (np.full((4, 4), -1), "from -1 to -1"),
    "beyond 8 bits": (np.full((4, 4), 256), "from 256 to 256"),
    "a class too many": (np.full((4, 4), 2), "outside the class table: 2"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_arrays_that_are_no_masks(kind: str) -> None:
    mask, said = MASKS[kind]
    with pytest.raises(DataError, match=said):
        underpaint.evaluate({"a": mask}, {"a": np.zeros((4, 4), np.uint8)}, classes=["ground", "cat"])


def test_arrays_that_do_not_go_together(scenes: Path) -> None:
    with pytest.raises(DataError, match="1 of 1 images have no predicted mask: a"):
        underpaint.evaluate({"b": np.zeros((4, 4), int)}, {"a": np.zeros((4, 4), int)}, classes=["x", "y"])
    with pytest.raises(ConfigError, match="accepted: masks="):
        underpaint.evaluate({"a": np.zeros((4, 4), int)}, {"a": np.zeros((4, 4), int)})
    with pytest.raises(ConfigError, match="its own classes"):
        underpaint.evaluate({}, scenes, classes=["x", "y"])


def test_settings_in_every_form_are_the_same(scenes: Path, scribbles: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train: {epochs: 9, batch: 4}\n")
    forms: list[Any] = [{"train.epochs": 3}, {"train": {"epochs": 3}}, ["train.epochs=3"]]
    plans = [underpaint.plan(scenes, hints=scribbles, method="partial", settings=form, config=recipe) for form in forms]
    assert [(made.config.train.epochs, made.config.train.batch) for made in plans] == [(3, 4)] * 3
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        underpaint.plan(scenes, hints=scribbles, settings={"train.epoch": 3})
    with pytest.raises(ConfigError, match="name of a setting is 3"):
        underpaint.plan(scenes, hints=scribbles, settings={3: 3})  # type: ignore[dict-item]


def test_hints_are_read_changed_and_learned_from(
    scenes: Path, scribbles: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hints = underpaint.read_hints(str(scribbles), str(scenes))
    assert hints == underpaint.simulate(scenes, kind="scribbles")
    few = dict(list(hints.items())[:3])
    planned = underpaint.plan(scenes, hints=few, method="partial")
    assert list(planned.hints) == list(few)
    assert planned.source["hints"] == ["hints of the call"]
    name, one = next(iter(few.items()))
    strange = replace(one, shapes=tuple(replace(shape, name="fox") for shape in one.shapes))
    with pytest.raises(HintError, match="fox"):
        underpaint.plan(scenes, hints={name: strange})
    with pytest.raises(HintError, match="of the image"):
        underpaint.plan(scenes, hints={"other": one})
    with pytest.raises(HintError, match="a ndarray"):
        underpaint.plan(scenes, hints={name: np.zeros(3)})  # type: ignore[dict-item]
    with caplog.at_level(logging.WARNING, "underpaint"), pytest.raises(DataError, match="is in the data set"):
        underpaint.read_hints(_strangers(scenes.parent), scenes)


def _strangers(folder: Path) -> Path:
    path = folder / "strangers.csv"
    path.write_text("image,pebble\nnowhere,1\n")
    return path


def test_a_method_is_a_name_a_class_or_made_already(scenes: Path, scribbles: Path) -> None:
    classes = underpaint.open_dataset(scenes).classes
    made = GatedCrf(GatedCrfConfig(weight=0.7), classes)
    settings = {"method.settings.weight": 0.7}
    plans = [
        underpaint.plan(scenes, hints=scribbles, method="gated-crf", settings=settings),
        underpaint.plan(scenes, hints=scribbles, method=GatedCrf, settings=settings),
        underpaint.plan(scenes, hints=scribbles, method=made),
    ]
    assert len({repr(planned.config) for planned in plans}) == 1
    assert plans[2].method is made
    with pytest.raises(ConfigError, match=r"cannot be combined with a method object: weight"):
        underpaint.plan(scenes, hints=scribbles, method=made, settings=settings)
    other = GatedCrf(GatedCrfConfig(), ClassTable.of(("a", "b")))
    with pytest.raises(ConfigError, match=r"for the classes a, b(.|\n)*open_dataset"):
        underpaint.plan(scenes, hints=scribbles, method=other)
    with pytest.raises(ConfigError, match="is not a method"):
        underpaint.plan(scenes, hints=scribbles, method=Hints)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"unknown method 'gated'(.|\n)*'gated-crf'"):
        underpaint.plan(scenes, hints=scribbles, method="gated")


def test_a_class_with_the_name_of_ours_or_without_a_loss_is_refused(scenes: Path, scribbles: Path) -> None:
    class Unnamed(Partial):
        pass

    class Lossless(underpaint.Method[GatedCrfConfig]):
        name, summary, accepts = "lossless", "", frozenset(Kind)

    with pytest.raises(ConfigError, match=r"'partial' is that of a method of underpaint(.|\n)*Unnamed"):
        underpaint.plan(scenes, hints=scribbles, method=Unnamed)
    with pytest.raises(ConfigError, match=r"lacks reference, Settings, loss"):
        underpaint.plan(scenes, hints=scribbles, method=Lossless)
