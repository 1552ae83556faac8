"""Where a network that learned label uncertainty is unsure: numbers, and pictures over the photograph."""

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
from underpaint.imagefiles.window import Window
from underpaint.models.inference import FullSize
from underpaint.models.network import Network
from underpaint.predict.blend import blended
from underpaint.predict.config import PredictConfig
from underpaint.predict.folder import Summary, open_output, unprepared, write_each
from underpaint.predict.heat import heat, png
from underpaint.predict.predictor import STRIDE, Pixels, look
from underpaint.predict.tiles import Tile


class UncertaintyPredictor:
    """Looks at single images through the variance head of a network.

    Args:
        network: Put into evaluation mode.
        config: Scales, flip and tiles; the CRF and the engine play no part.

    Raises:
        ConfigError: the network has no variance head.
    """

    def __init__(self, network: Network, config: PredictConfig) -> None:
        if network.variance_head is None:
            raise ConfigError("the network has no variance head", fix="train with box-uncertainty")
        self.config = config
        self._whole = FullSize(network)

    @torch.inference_mode()
    def coarse(self, rgb: Pixels) -> npt.NDArray[np.float32]:
        """(ceil(H/4), ceil(W/4)) variance of an (H, W, 3) image, >= 0: means over cells of 4 x 4 pixels and looks."""
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
        """(1, h, w) variance of what a tile sees, averaged over the looks."""
        top, bottom, left, right = tile.seen
        part = torch.from_numpy(np.ascontiguousarray(rgb[top:bottom, left:right])).to(self._whole.mean.device)
        image = part.permute(2, 0, 1)[None].float() / 255
        return torch.stack([look(self._whole.variance, image, *each)[0] for each in self.config.looks]).mean(dim=0)


def doubt(variance: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Share of their size that logits lose under a variance, ``1 - 1 / sqrt(1 + pi s / 8)``, in [0, 1); any shape.

    0 where the label of a box is believed, 0.15 at a variance of 1, 0.55 at 10. See `expected_logits`.
    """
    return np.asarray(1 - (1 + np.pi / 8 * variance) ** -0.5, dtype=np.float32)


def draw_doubts(
    doubter: UncertaintyPredictor,
    images: Path,
    out: Path,
    *,
    window: Window | None = None,
    by: str = "a call of draw_doubts",
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write ``OUT/NAME.png`` and ``OUT/NAME.npy`` for every photograph.

    The picture shows the `doubt` over the photograph, on one scale from 0 to 1 for all. The other file holds the
    variance as it is, (ceil(H/4), ceil(W/4)) float32, and is read by `numpy.load` without pickle. 16 bits would need a
    scale, and the variance has no upper end.

    Args:
        doubter: Network and settings.
        images: As in `predict_folder`.
        out: The output folder, as in `predict_folder`.
        window: As in `predict_folder`.
        by: What draws, for the record of the output folder.
        on_progress: Called with (done, total).

    Returns:
        How many photographs were drawn, and which were skipped because they cannot be read.

    Raises:
        DataError: as `predict_folder`.
    """
    found, output = open_output(images, out, holds="uncertainty maps", by=by)

    def write(name: str, rgb: Pixels) -> int:
        variance = doubter.coarse(rgb)
        buffer = io.BytesIO()
        np.save(buffer, variance, allow_pickle=False)
        output.write(out / f"{name}.npy", buffer.getvalue())
        output.write(out / f"{name}.png", png(heat(rgb, doubt(variance), peak=1.0)))
        return 1

    return write_each(found, output, write, on_progress, window=window, prepared=unprepared)
