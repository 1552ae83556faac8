"""The labels of the last network of SC-CAM: a random walk spreads response maps along learned affinities (PSA)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.kernels.randomwalk import random_walk
from underpaint.methods.inference import Inference
from underpaint.methods.sc_cam.labels import responses_path
from underpaint.methods.sc_cam.losses import AffinityConfig, affinities
from underpaint.methods.stage import LabelMaker
from underpaint.methods.tags.maps import Scores, resized, scored


class WalkConfig(AffinityConfig):
    """Settings of the walk. They are those of PSA (Ahn and Kwak, CVPR 2018) if nothing else is stated.

    Attributes:
        walk_alpha: Exponent of the background score at the start of the walk (16 in PSA).
        walk_exponent: Exponent of the affinities, which makes them sharper.
        walk_steps: Length of the walk (256 in PSA). Affinities that are learned from a few hundred images also connect
            different objects, so that classes spread into their surroundings during a long walk.
        targets: ``hard`` labels, or ``soft`` labels, which are the shares of the scores after the walk.
        confidence: With hard targets, a pixel whose largest share is below this stays unknown. This is ours; 0 labels
            all pixels.
    """

    walk_alpha: float = Field(default=8.0, gt=0)
    walk_exponent: float = Field(default=8.0, gt=0)
    walk_steps: int = Field(default=32, ge=0, le=10_000)
    targets: Literal["hard", "soft"] = "hard"
    confidence: float = Field(default=0.0, ge=0, lt=1)


class WalkedLabels(LabelMaker[WalkConfig]):
    """Makes the labels after the walk from the response maps that `PairLabels` stored."""

    def make(self, infer: Inference) -> None:
        """Make the labels in one pass over the images with the network of affinities."""
        assert infer.earlier is not None, "the affinity stage stores the responses"
        for image in infer.images():
            responses = np.load(responses_path(infer.earlier, image.name), allow_pickle=False).astype(np.float32)
            size = image.rgb.shape[:2]
            self.write(infer, image.name, self.walked(responses, image.present, infer.embedding(image), size), size)

    def write(self, infer: Inference, name: str, scores: Scores, size: tuple[int, int]) -> None:
        """Write hard or soft labels of an image of size (H, W)."""
        if self.config.targets == "hard":
            infer.write_labels(name, labelled(scores, size, self.config.confidence))
        elif len(scores.classes):
            whole = np.zeros((len(self.classes), *scores.values.shape[1:]), np.float32)
            whole[scores.classes] = scores.values
            infer.write_soft(name, whole)

    def walked(
        self,
        responses: npt.NDArray[np.float32],
        present: npt.NDArray[np.bool_],
        embedding: npt.NDArray[np.float32],
        size: tuple[int, int],
    ) -> Scores:
        """The scores after the walk on its grid; they sum to 1 over the classes.

        Args:
            responses: (C, h, w) response maps.
            present: (C,) bool, the tags of the image.
            embedding: (E, h, w) embedding of the network of affinities.
            size: Size (H, W) of the image.
        """
        config = self.config
        cells = (-(-size[0] // config.walk_stride), -(-size[1] // config.walk_stride))
        start = scored(responses, present, background=self.classes.background, kind="power", level=config.walk_alpha)
        if len(start.classes) == 0:
            return Scores(start.classes, np.zeros((0, *cells), np.float32), background=False)
        similarity = affinities(torch.from_numpy(resized(embedding, cells)), form=config.affinity, radius=config.radius)
        walked = random_walk(
            torch.from_numpy(resized(start.values, cells)),
            similarity.clamp(0, 1),
            radius=config.radius,
            exponent=config.walk_exponent,
            steps=config.walk_steps,
        ).numpy()
        shares = walked / np.maximum(walked.sum(axis=0, keepdims=True), 1e-8)
        return Scores(start.classes, shares.astype(np.float32), background=start.background)


def labelled(scores: Scores, size: tuple[int, int], confidence: float) -> Mask:
    """(H, W) labels: the class with the largest share at every pixel, or 255 if this share is below the confidence.

    Args:
        scores: Shares of the classes, at any size.
        size: Size (H, W) of the image.
        confidence: Smallest share of a labelled pixel, 0 to 1.
    """
    full = Scores(scores.classes, resized(scores.values, size), background=scores.background)
    labels = full.labels()
    if len(scores.classes):
        labels[full.values.max(axis=0) < confidence] = UNKNOWN
    return labels
