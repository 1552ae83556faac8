"""Gated CRF loss for clicks and scribbles (Obukhov et al. 2019)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from underpaint.core.config import Config
from underpaint.kernels.windowed import GaussianKernel
from underpaint.losses.candidates import nothing
from underpaint.losses.gated_crf import RADIUS, SIGMA_RGB, SIGMA_XY, gated_crf_loss
from underpaint.methods.base import CandidateConfig, CandidateMethod
from underpaint.methods.gated_crf import ABOUT
from underpaint.records import Batch, NetOutput, Progress, Terms


class GatedCrfConfig(CandidateConfig):
    """Settings of the Gated CRF loss; defaults from the authors' code unless said otherwise.

    Attributes:
        weight: Of the loss beside the cross-entropy.
        sigma_xy: Reach in cells of the decoder's grid (a quarter of the image's size with DeepLabV3+).
        sigma_rgb: Colour tolerance on RGB in [0, 1].
        radius: Of the window, in cells.
        start: Share of the training after which the loss sets in.
    """

    weight: float = Field(default=0.1, ge=0)
    sigma_xy: float = Field(default=SIGMA_XY, gt=0)
    sigma_rgb: float = Field(default=SIGMA_RGB, gt=0)
    radius: int = Field(default=RADIUS, ge=1, le=32)
    start: float = Field(default=0.005, ge=0, lt=1)


class GatedCrf(CandidateMethod[GatedCrfConfig], about=ABOUT):
    """Partial cross-entropy and a windowed Potts energy on the decoder's grid."""

    Settings: ClassVar[type[Config]] = GatedCrfConfig

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """The terms of `partial` and ``gated-crf``."""
        config = self.config
        terms = self.candidate_terms(out, batch)
        if progress.fraction < config.start:
            return {**terms, "gated-crf": nothing(out.logits)}
        kernel = GaussianKernel(weight=1.0, sigma_xy=config.sigma_xy, sigma_rgb=config.sigma_rgb)
        probabilities = out.logits.float().softmax(dim=1)
        energy = gated_crf_loss(probabilities, batch.rgb, batch.valid, kernels=[kernel], radius=config.radius)
        return {**terms, "gated-crf": config.weight * energy}
