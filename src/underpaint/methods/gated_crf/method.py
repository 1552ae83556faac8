"""Gated CRF loss for clicks and scribbles (Obukhov et al. 2019)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from underpaint.core.config import Config
from underpaint.kernels.windowed import GaussianKernel
from underpaint.losses.candidates import nothing, soft_cross_entropy
from underpaint.losses.gated_crf import RADIUS, SIGMA_XY, crf_labels, gated_crf_loss
from underpaint.methods.base import CandidateConfig, CandidateMethod
from underpaint.methods.gated_crf import ABOUT
from underpaint.records import Batch, NetOutput, Progress, Terms

LATE = 0.5
"""Share of the training before the loss is used if the network starts from random weights."""

MEMORY = 0.997
"""Decay of the average of the weights from whose output labels are made. It was chosen on ``val`` of MSRC-21 and on one
class of voc_animals (docs/methods/gated-crf.md)."""


class GatedCrfConfig(CandidateConfig):
    """Settings of the Gated CRF loss. The recipe ``configs/authors/gated-crf.yaml`` has the settings of the authors.

    Attributes:
        form: With ``labels``, the CRF makes soft labels at every step from the output of the average of the network's
            weights, and the network learns them by cross-entropy. ``energy`` is gradient descent on the energy, as in
            the paper.
        weight: Weight of this loss relative to the cross-entropy on the hints.
        sigma_xy: Standard deviation of the position, in cells of the decoder's grid (a quarter of the image size with
            DeepLabV3+).
        sigma_rgb: Standard deviation of the colour for RGB in [0, 1].
        radius: Radius of the window in cells.
        start: Share of the training before the loss is used. None means 0 if the network starts from the linear model,
            and 0.5 if it starts from random weights.
        strength: Only for ``labels``: weight of the neighbours relative to the scores of the network.
        iterations: Only for ``labels``: number of iterations of mean-field inference.
    """

    form: Literal["labels", "energy"] = "labels"
    weight: float = Field(default=0.5, ge=0)
    sigma_xy: float = Field(default=SIGMA_XY, gt=0)
    sigma_rgb: float = Field(default=0.05, gt=0)
    radius: int = Field(default=RADIUS, ge=1, le=32)
    start: float | None = Field(default=None, ge=0, lt=1)
    strength: float = Field(default=5.0, gt=0)
    iterations: int = Field(default=5, ge=1, le=100)


class GatedCrf(CandidateMethod[GatedCrfConfig], about=ABOUT):
    """Partial cross-entropy, and a CRF over close cells of similar colour on the grid of the decoder."""

    Settings: ClassVar[type[Config]] = GatedCrfConfig

    @property
    def teacher(self) -> float:
        """The decay of the average whose labels are learned."""
        return MEMORY if self.config.form == "labels" else 0.0

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """The terms of `partial` and ``gated-crf``."""
        config, crf = self.config, nothing(out.logits)
        if out.labels is not None:
            crf = soft_cross_entropy(out, out.labels, torch.ones_like(out.labels[:, 0], dtype=torch.bool))
        elif config.form == "energy" and self._begun(batch, progress):
            probabilities = out.logits.float().softmax(dim=1)
            crf = gated_crf_loss(probabilities, batch.rgb, batch.valid, kernels=self._kernels, radius=config.radius)
        return {**self.candidate_terms(out, batch), "gated-crf": config.weight * crf}

    def make_labels(self, out: NetOutput, batch: Batch, progress: Progress) -> Tensor | None:
        """(N, C, h, w) soft labels by mean-field inference, or None before ``start`` and in the form ``energy``."""
        config = self.config
        if config.form == "energy" or not self._begun(batch, progress):
            return None
        return crf_labels(
            out.logits,
            batch.seeds(),
            batch.rgb,
            batch.valid,
            kernels=self._kernels,
            radius=config.radius,
            strength=config.strength,
            iterations=config.iterations,
        )

    def _begun(self, batch: Batch, progress: Progress) -> bool:
        usual = LATE if batch.scene is None else 0.0  # only a network with a linear model needs the scene
        return progress.fraction >= (usual if self.config.start is None else self.config.start)

    @property
    def _kernels(self) -> list[GaussianKernel]:
        return [GaussianKernel(weight=1.0, sigma_xy=self.config.sigma_xy, sigma_rgb=self.config.sigma_rgb)]
