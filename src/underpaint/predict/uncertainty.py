"""Maps of the label uncertainty that a network has learned, as numbers and as pictures over the image."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.errors import ConfigError
from underpaint.evaluation.pictures import png
from underpaint.imagefiles.rule import COLOUR, ReadingRule
from underpaint.models.inference import FullSize
from underpaint.models.network import Network
from underpaint.predict.blend import blended
from underpaint.predict.config import PredictConfig
from underpaint.predict.heat import heat
from underpaint.predict.predictor import STRIDE, Pixels, forward_at
from underpaint.predict.targets import open_output
from underpaint.predict.tiles import Tile
from underpaint.predict.writing import Summary, unprepared, write_each


class UncertaintyPredictor:
    """Predicts the variance of single images with the variance head of a network.

    Args:
        network: The network; it is put into evaluation mode.
        config: Scales, flip and tiles; the CRF and the engine have no effect.

    Raises:
        ConfigError: The network has no variance head.
    """

    def __init__(self, network: Network, config: PredictConfig) -> None:
        if network.variance_head is None:
            raise ConfigError("the network has no variance head", fix="train with box-uncertainty")
        self.config = config
        self._whole = FullSize(network)

    @torch.inference_mode()
    def coarse(self, rgb: Pixels) -> npt.NDArray[np.float32]:
        """(ceil(H/4), ceil(W/4)) variance >= 0 of an (H, W, 3) image: means over passes and cells of 4 x 4 pixels."""
        height, width = rgb.shape[:2]
        coarse = np.empty((-(-height // STRIDE), -(-width // STRIDE)), np.float32)
        side, overlap = self.config.image_tile(self._whole.network.field)
        for (top, _, left, _), variance in blended(
            (height, width), partial(self._tile, rgb), tile=side, overlap=overlap
        ):
            cells = F.avg_pool2d(variance, STRIDE, ceil_mode=True)[0].cpu().numpy()
            row, column = top // STRIDE, left // STRIDE
            coarse[row : row + cells.shape[0], column : column + cells.shape[1]] = cells
        return coarse

    def _tile(self, rgb: Pixels, tile: Tile) -> Tensor:
        """(1, h, w) variance of a tile, averaged over the scales and mirror images."""
        top, bottom, left, right = tile.seen
        part = torch.from_numpy(np.ascontiguousarray(rgb[top:bottom, left:right])).to(self._whole.mean.device)
        image = part.permute(2, 0, 1)[None].float() / 255
        found = [forward_at(self._whole.variance, image, *each)[0] for each in self.config.passes]
        return torch.stack(found).mean(dim=0)


def uncertainty(variance: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Share by which a variance s reduces the logits, ``1 - 1 / sqrt(1 + pi s / 8)``, in [0, 1); of any shape.

    It is 0 where the network trusts the label of a box, 0.15 at a variance of 1, and 0.55 at 10. See `expected_logits`.
    """
    return np.asarray(1 - (1 + np.pi / 8 * variance) ** -0.5, dtype=np.float32)


def draw_uncertainty(
    predictor: UncertaintyPredictor,
    images: Path,
    out: Path,
    *,
    rule: ReadingRule = COLOUR,
    by: str = "a call of draw_uncertainty",
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write ``OUT/NAME.png`` and ``OUT/NAME.npy`` for every image.

    The picture shows the `uncertainty` over the image, with the same colour scale from 0 to 1 for all images. The other
    file contains the variance, (ceil(H/4), ceil(W/4)) float32, and can be read with `numpy.load` without pickle. It is
    not float16, because the variance has no upper limit.

    Args:
        predictor: Network and settings.
        images: As in `predict_folder`.
        out: The output folder, as in `predict_folder`.
        rule: As in `predict_folder`.
        by: Name of the caller, for the record of the output folder.
        on_progress: Called with (done, total).

    Returns:
        The number of images drawn, and the images that were skipped because they cannot be read.

    Raises:
        DataError: As in `predict_folder`.
    """
    found, output = open_output(images, out, holds="uncertainty maps", by=by)

    def write(name: str, rgb: Pixels) -> int:
        variance = predictor.coarse(rgb)
        buffer = io.BytesIO()
        np.save(buffer, variance, allow_pickle=False)
        output.write(out / f"{name}.npy", buffer.getvalue())
        output.write(out / f"{name}.png", png(heat(rgb, uncertainty(variance), peak=1.0)))
        return 1

    return write_each(found, output, write, on_progress, rule=rule, prepared=unprepared)
