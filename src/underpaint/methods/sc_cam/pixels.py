"""A linear model of pixels that is fitted on the confident labels of the walk in all images together (ours)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from underpaint.features.linear import LinearModel
from underpaint.features.rows import fit_rows, marked_rows
from underpaint.methods.inference import Fitting, Inference
from underpaint.methods.sc_cam.walk import WalkConfig, WalkedLabels, labelled
from underpaint.methods.stage import Learner, Stage
from underpaint.methods.tags.learners import NoSettings
from underpaint.methods.tags.maps import Scores, resized
from underpaint.records import Batch, NetOutput, Progress, Terms

PENALTY = 1e-2
"""Ten times that of `quick`. Some labels are wrong, and a weaker penalty would let the model learn the errors. With
0.001, 0.003, 0.01 and 0.03, the labels of 88 images of voc_animals have 61.7, 62.1, 62.7 and 63.3 mIoU
(docs/tags.md)."""

DENSITY = 0.5
"""As `underpaint.features.pixels.DENSITY`, for labels that cover whole images."""

STRIDE = 4
"""Side of a cell of soft labels in pixels."""


class SureConfig(WalkConfig):
    """Settings of the labels for the model of pixels.

    Attributes:
        sure: A pixel is used if its class has at least this share of the scores after the walk.
    """

    sure: float = Field(default=0.6, ge=0, lt=1)


class SureLabels(WalkedLabels):
    """Labels the pixels at which the walk is confident. The shares of all pixels are stored for `ModelLabels`."""

    config: SureConfig

    def write(self, infer: Inference, name: str, scores: Scores, size: tuple[int, int]) -> None:
        """Write the labels and the shares of an image."""
        path = shares_path(infer.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, classes=scores.classes, values=scores.values.astype(np.float16))
        infer.write_labels(name, labelled(scores, size, self.config.sure))


def shares_path(folder: Path, name: str) -> Path:
    """The file in which `SureLabels` stores the shares of an image, in 16 bits."""
    return folder / "shares" / f"{name}.npz"


class PixelModel(Learner[NoSettings]):
    """Multinomial logistic regression on frozen features, as `quick`."""

    name: ClassVar[str] = "sc-cam-pixels"

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """No terms: the stage has no gradient steps."""
        return {}

    def fit(self, stage: Stage, fitting: Fitting) -> LinearModel:
        """Fit on the labelled pixels of all images; every class has the same weight.

        A class without a labelled pixel gets the score 0 everywhere, so that the shares of the walk decide about it.
        """
        rows = marked_rows(fitting.images(), fitting.bank, len(self.classes), seed=fitting.seed, density=DENSITY)
        seen = rows.sets.any(axis=0)
        if seen.sum() < 2:
            width = len(fitting.bank.penalties)
            return LinearModel(
                np.zeros((len(self.classes), width), np.float32), np.zeros(len(self.classes), np.float32)
            )
        model = fit_rows(rows, self.classes.background, penalty=PENALTY * fitting.bank.penalties)
        return replace(model, bias=np.where(seen, model.bias, 0).astype(np.float32))


class ModelLabels(WalkedLabels):
    """Labels by the product of two factors: the probabilities of the model, and the shares after the walk."""

    def make(self, infer: Inference) -> None:
        """Make the labels in one pass over the images with the model of pixels."""
        assert infer.earlier is not None, "the stage of the model stores the shares"
        for image in infer.images():
            with np.load(shares_path(infer.earlier, image.name), allow_pickle=False) as stored:
                classes, shares = stored["classes"], stored["values"].astype(np.float32)
            size = (image.rgb.shape[0], image.rgb.shape[1])
            both = infer.probabilities(image, scales=(1.0,), flip=False)[classes] * resized(shares, size)
            both /= np.maximum(both.sum(axis=0, keepdims=True), 1e-8)
            if self.config.targets == "soft":  # on the grid of the model's probabilities; the file is 16 times smaller
                both = resized(both, (-(-size[0] // STRIDE), -(-size[1] // STRIDE)))
            background = self.classes.background
            behind = background is not None and len(classes) > 0 and int(classes[0]) == background
            self.write(infer, image.name, Scores(classes, both, background=behind), size)
