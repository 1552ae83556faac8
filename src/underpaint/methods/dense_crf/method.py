"""Dense CRF loss for clicks and scribbles (Tang et al., ECCV 2018)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from underpaint.core.config import Config
from underpaint.losses.candidates import nothing
from underpaint.methods.base import CandidateConfig, CandidateMethod
from underpaint.methods.dense_crf import ABOUT
from underpaint.methods.dense_crf.losses import dense_crf_loss
from underpaint.records import Batch, NetOutput, Progress, Terms


class DenseCrfConfig(CandidateConfig):
    """Settings of the dense CRF loss.

    Attributes:
        weight: Weight of the energy per pixel. The authors use 2e-9 for the energy of a whole image at 256 x 256, which
            is 1.3e-4 per pixel.
        sigma_xy: Standard deviation of the position, in pixels of the image; 100 as in the authors' code.
        sigma_rgb: Standard deviation of the colour for RGB in [0, 1]; 15 grey levels of 255 as in the authors' code.
        start: Share of the training before the loss is used. The authors also train first with cross-entropy only.
    """

    weight: float = Field(default=1.3e-4, ge=0)
    sigma_xy: float = Field(default=100.0, gt=0)
    sigma_rgb: float = Field(default=15 / 255, gt=0)
    start: float = Field(default=0.3, ge=0, lt=1)


class DenseCrfLoss(CandidateMethod[DenseCrfConfig], about=ABOUT):
    """Partial cross-entropy and the Potts energy of a fully connected CRF."""

    Settings: ClassVar[type[Config]] = DenseCrfConfig

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """The terms of `partial` and ``dense-crf``."""
        config = self.config
        terms = self.candidate_terms(out, batch)
        if progress.fraction < config.start:
            return {**terms, "dense-crf": nothing(out.logits)}
        stride = out.size[0] / out.logits.shape[2]
        energy = dense_crf_loss(
            out.logits.float().softmax(dim=1),
            batch.rgb,
            batch.valid,
            sigma_xy=config.sigma_xy / stride,
            sigma_rgb=config.sigma_rgb,
        )
        return {**terms, "dense-crf": config.weight * energy}
