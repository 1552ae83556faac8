"""Response maps spread by a random walk over the learned affinities: the labels of SC-CAM's last network (PSA)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.kernels.randomwalk import random_walk
from underpaint.methods.inference import Inference
from underpaint.methods.sc_cam.labels import kept_responses
from underpaint.methods.sc_cam.losses import AffinityConfig, affinities
from underpaint.methods.stage import LabelMaker
from underpaint.methods.tags.maps import Scores, resized, scored


class WalkConfig(AffinityConfig):
    """Settings of the walk; those of PSA (Ahn and Kwak, CVPR 2018) where nothing else is said.

    Attributes:
        walk_alpha: Power of the background score that the walk starts from (PSA: 16).
        walk_exponent: Sharpens the affinities.
        walk_steps: Length of the walk. PSA's is 256; affinities learned from some hundred photographs leak, and over so
            long a walk classes flow into what lies around them.
        targets: ``hard`` labels, or ``soft`` ones: shares of the scores after the walk.
        confidence: Share of the scores below which a pixel stays unknown (hard targets); ours: 0 labels all.
    """

    walk_alpha: float = Field(default=8.0, gt=0)
    walk_exponent: float = Field(default=8.0, gt=0)
    walk_steps: int = Field(default=32, ge=0, le=10_000)
    targets: Literal["hard", "soft"] = "hard"
    confidence: float = Field(default=0.0, ge=0, lt=1)


class WalkedLabels(LabelMaker[WalkConfig]):
    """Labels after the walk, from the response maps that `PairLabels` kept."""

    def make(self, infer: Inference) -> None:
        """One pass over the images with the network of affinities."""
        assert infer.earlier is not None, "the affinity stage keeps the responses"
        for image in infer.images():
            responses = np.load(kept_responses(infer.earlier, image.name), allow_pickle=False).astype(np.float32)
            size = image.rgb.shape[:2]
            self.write(infer, image.name, self.walked(responses, image.present, infer.embedding(image), size), size)

    def write(self, infer: Inference, name: str, scores: Scores, size: tuple[int, int]) -> None:
        """Keep hard or soft labels of an image of a size (H, W)."""
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
        """Scores on the walk's grid after it, summing to 1 over the classes.

        Args:
            responses: (C, h, w) response maps.
            present: (C,) the image's tags.
            embedding: (E, h, w) of the network of affinities.
            size: (H, W) of the image.
        """
        config = self.config
        cells = (-(-size[0] // config.walk_stride), -(-size[1] // config.walk_stride))
        start = scored(responses, present, background=self.classes.background, kind="power", level=config.walk_alpha)
        if len(start.classes) == 0:
            return Scores(start.classes, np.zeros((0, *cells), np.float32), background=False)
        likeness = affinities(torch.from_numpy(resized(embedding, cells)), form=config.affinity, radius=config.radius)
        walked = random_walk(
            torch.from_numpy(resized(start.values, cells)),
            likeness.clamp(0, 1),
            radius=config.radius,
            exponent=config.walk_exponent,
            steps=config.walk_steps,
        ).numpy()
        shares = walked / np.maximum(walked.sum(axis=0, keepdims=True), 1e-8)
        return Scores(start.classes, shares.astype(np.float32), background=start.background)


def labelled(scores: Scores, size: tuple[int, int], confidence: float) -> Mask:
    """(H, W) labels: the class with the largest share of every pixel, 255 where the share is below the confidence.

    Args:
        scores: Shares of the classes, at any size.
        size: (H, W) of the image.
        confidence: In 0..1.
    """
    full = Scores(scores.classes, resized(scores.values, size), background=scores.background)
    labels = full.labels()
    if len(scores.classes):
        labels[full.values.max(axis=0) < confidence] = UNKNOWN
    return labels
