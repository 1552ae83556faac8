"""Dense CRF loss for clicks and scribbles (Tang et al., ECCV 2018)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from underpaint.core.config import Config
from underpaint.kernels.bilateral.energy import dense_energy
from underpaint.losses.candidates import nothing
from underpaint.losses.grid import shrink_image
from underpaint.methods.base import CandidateConfig, CandidateMethod
from underpaint.methods.dense_crf import ABOUT
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


def dense_crf_loss(probabilities: Tensor, rgb: Tensor, valid: Tensor, *, sigma_xy: float, sigma_rgb: float) -> Tensor:
    """Dense CRF loss (Tang et al., ECCV 2018, eq. 5): the relaxed Potts energy of a fully connected Gaussian CRF.

    ``-(1/P) sum_k S_k' W S_k``, where W is the bilateral affinity over all pairs, including each pixel with itself,
    approximated on the permutohedral lattice, and P is the number of valid cells. It differs from
    ``sum_k S_k' W (1 - S_k)`` by a term that does not depend on the prediction if the S_k sum to 1.

    Departure: the sum is divided by the number of cells instead of images, so that one weight suits every crop size.
    The value is negative, as in the authors' code.

    Args:
        probabilities: (N, C, h, w), summing to 1 over C.
        rgb: (N, 3, H, W) in [0, 1]; averaged to (h, w).
        valid: (N, H, W) bool, False on padding.
        sigma_xy: Standard deviation of the position, in cells of the (h, w) grid.
        sigma_rgb: Standard deviation of the colour, in the units of ``rgb``.

    Returns:
        A scalar <= 0; a zero on the graph if nothing is valid.
    """
    small, inside = shrink_image(rgb, valid, (probabilities.shape[2], probabilities.shape[3]))
    energy = dense_energy(probabilities, small, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb, valid=inside, gradient="exact")
    return energy / inside.sum().clamp(min=1)
