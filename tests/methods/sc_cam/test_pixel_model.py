"""The linear model of pixels: what it learns from, what it leaves to the walk, and the product of the two."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from underpaint.core.classes import ClassTable
from underpaint.data.samples import TrainingImage
from underpaint.features.bank import ImageFeatures, Pixels
from underpaint.hints.candidates import ImageKnowledge, build_candidates
from underpaint.hints.rasterise import UNKNOWN
from underpaint.hints.types import Hints
from underpaint.methods.inference import Fitting, Inference
from underpaint.methods.sc_cam.pixels import ModelLabels, PixelModel, SureConfig, SureLabels, shares_path
from underpaint.methods.sc_cam.walk import WalkConfig
from underpaint.methods.stage import Stage
from underpaint.methods.tags.learners import NoSettings
from underpaint.methods.tags.maps import Scores

CLASSES = ClassTable.of(["background", "cat", "dog"])
SIDE = 32


class Colours:
    """A bank whose features are the mean colours of cells of four pixels."""

    penalties = np.ones(3)

    def features(self, rgb: Pixels) -> ImageFeatures:
        cells = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        return ImageFeatures((torch.nn.functional.avg_pool2d(cells, 4)[0].half(),), (SIDE, SIDE))

    def stream(self, images: Iterable[Pixels]) -> Generator[ImageFeatures, None, None]:
        yield from map(self.features, images)


def image(rgb: Pixels, labels: np.ndarray) -> TrainingImage:
    knowledge = ImageKnowledge(np.ones(3, bool), np.zeros(3, bool), np.zeros(3, bool))
    made = build_candidates(knowledge, labels, np.empty((0, 4)), (), 0, None)
    return TrainingImage("a", rgb, rgb, Hints(image="a"), made, ~knowledge.absent, knowledge.present)


def halves() -> tuple[Pixels, np.ndarray]:
    """Red on the left, green on the right, and labels that know a strip of each."""
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    rgb[:, : SIDE // 2, 0], rgb[:, SIDE // 2 :, 1] = 200, 200
    labels = np.full((SIDE, SIDE), UNKNOWN, np.uint8)
    labels[4:20, 2:8], labels[4:20, 22:28] = 1, 0
    return rgb, labels


def fitted(rgb: Pixels, labels: np.ndarray) -> Any:
    def images() -> Iterator[TrainingImage]:
        return iter([image(rgb, labels)])

    fitting = Fitting(images, Colours(), 0, cast("Any", None))
    return PixelModel(NoSettings(), CLASSES).fit(Stage(name="pixels"), fitting)


def test_the_model_learns_from_labels_and_leaves_open_what_no_label_shows() -> None:
    rgb, labels = halves()
    model = fitted(rgb, labels)
    red, green = model.scores(np.array([[0.8, 0, 0], [0, 0.8, 0]], np.float32))
    assert red[1] > red[0]
    assert green[0] > green[1]
    assert red[2] == green[2] == 0, "no label of a dog: the shares of the walk decide"
    one = fitted(rgb, np.where(labels == 1, labels, UNKNOWN).astype(np.uint8))
    assert not one.weight.any()
    assert not one.bias.any()


class Fake:
    """Inference over one image, with given probabilities; keeps the labels."""

    def __init__(self, folder: Path, probabilities: np.ndarray) -> None:
        self.folder = self.earlier = folder
        self.given, self.labels = probabilities, np.empty(0)

    def images(self) -> Iterator[Any]:
        return iter([SimpleNamespace(name="a", rgb=np.zeros((1, 4, 3), np.uint8))])

    def probabilities(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> np.ndarray:
        return self.given

    def write_labels(self, name: str, labels: np.ndarray) -> None:
        self.labels = labels


@pytest.mark.parametrize(("confidence", "expected"), [(0.0, [0, 0, 2, 2]), (0.8, [0, 255, 255, 2])])
def test_labels_are_the_larger_product_of_model_and_walk_within_the_tags(
    tmp_path: Path, confidence: float, expected: list[int]
) -> None:
    shares = np.array([[[0.9, 0.5, 0.5, 0.1]], [[0.1, 0.5, 0.5, 0.9]]], np.float32)  # of ground and dog
    model = np.array([[[0.2, 0.4, 0.2, 0.3]], [[0.7, 0.3, 0.5, 0.5]], [[0.1, 0.3, 0.3, 0.2]]], np.float32)
    infer = Fake(tmp_path, model)
    scores = Scores(np.array([0, 2]), shares, background=True)
    SureLabels(SureConfig(sure=0.6), CLASSES).write(cast("Inference", infer), "a", scores, (1, 4))
    np.testing.assert_array_equal(infer.labels, [[0, 255, 255, 2]], "labels at which the walk is confident")
    assert shares_path(tmp_path, "a").is_file()
    ModelLabels(WalkConfig(confidence=confidence), CLASSES).make(cast("Inference", infer))
    np.testing.assert_array_equal(infer.labels, [expected])
