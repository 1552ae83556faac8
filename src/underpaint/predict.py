"""From a trained network and a photograph of any size to class probabilities and a mask, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.config import Config
from underpaint.models.network import Network

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]


class PredictConfig(Config):
    """Settings of a prediction.

    Attributes:
        scales: Factors on the image's size; probabilities are averaged over them.
        flip: Average with the prediction on the mirrored image.
        tile: Longest side in pixels of what the network sees at once, at scale 1. Larger images are cut into tiles.
        overlap: Pixels around each tile that are seen but not kept, so that what is kept has its surroundings.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    tile: int = Field(default=1024, ge=128)
    overlap: int = Field(default=96, ge=0)

    @field_validator("scales")
    @classmethod
    def _positive(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if not scales or not all(0.1 <= scale <= 8 for scale in scales):
            raise ValueError("give one scale or more, each from 0.1 to 8")
        return scales

    @field_validator("overlap")
    @classmethod
    def _less_than_tile(cls, overlap: int) -> int:
        if overlap > 512:
            raise ValueError("an overlap above 512 pixels costs time and changes nothing")
        return overlap


@dataclass(frozen=True)
class Tile:
    """A part of an image, in image pixels (row0, row1, column0, column1).

    Args:
        seen: What the network is given.
        kept: What is kept of its answer.
    """

    seen: tuple[int, int, int, int]
    kept: tuple[int, int, int, int]


def tiles(size: tuple[int, int], *, tile: int, overlap: int) -> Iterator[Tile]:
    """Tiles that together keep every pixel of an (H, W) image exactly once.

    An image whose sides fit is one tile. Tiles of a row or column differ by at most one pixel in what they keep.
    """
    rows, columns = (_cuts(length, tile, overlap) for length in size)
    for top, bottom in rows:
        for left, right in columns:
            seen = (
                max(0, top - overlap),
                min(size[0], bottom + overlap),
                max(0, left - overlap),
                min(size[1], right + overlap),
            )
            yield Tile(seen, (top, bottom, left, right))


def _cuts(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    if length <= tile:
        return [(0, length)]
    count = -(-length // max(tile - 2 * overlap, tile // 4))
    edges = [round(i * length / count) for i in range(count + 1)]
    return list(pairwise(edges))


class Predictor:
    """Predicts single images with a network.

    Args:
        network: In evaluation mode.
        config: Scales, flip and tiles.
    """

    def __init__(self, network: Network, config: PredictConfig) -> None:
        self.network = network.eval().to(memory_format=torch.channels_last)
        self.config = config
        parameter = next(network.parameters())
        self.device = parameter.device

    def probabilities(self, rgb: Pixels) -> Probabilities:
        """(C, H, W) probabilities of an (H, W, 3) image. Memory grows with C H W; `index` is bounded."""
        parts: Probabilities | None = None
        for tile, part in self._parts(rgb):
            if parts is None:
                parts = np.empty((len(part), *rgb.shape[:2]), np.float32)
            top, bottom, left, right = tile.kept
            parts[:, top:bottom, left:right] = part
        assert parts is not None
        return parts

    def index(self, rgb: Pixels) -> Pixels:
        """(H, W) uint8 most probable class of an (H, W, 3) image; one tile's probabilities are held at a time."""
        index = np.empty(rgb.shape[:2], np.uint8)
        for tile, part in self._parts(rgb):
            top, bottom, left, right = tile.kept
            index[top:bottom, left:right] = part.argmax(axis=0)
        return index

    def _parts(self, rgb: Pixels) -> Iterator[tuple[Tile, Probabilities]]:
        size = (rgb.shape[0], rgb.shape[1])
        for tile in tiles(size, tile=self.config.tile, overlap=self.config.overlap):
            r0, r1, c0, c1 = tile.seen
            whole = self._tile(rgb[r0:r1, c0:c1])
            top, bottom, left, right = tile.kept
            yield tile, whole[:, top - r0 : bottom - r0, left - c0 : right - c0].numpy()

    @torch.inference_mode()
    def _tile(self, rgb: Pixels) -> Tensor:
        """(C, H, W) probabilities averaged over scales and mirror images."""
        image = torch.from_numpy(np.ascontiguousarray(rgb)).to(self.device).permute(2, 0, 1)[None].float() / 255
        size = (image.shape[2], image.shape[3])
        total: Tensor | None = None
        views = [
            (scale, mirrored)
            for scale in self.config.scales
            for mirrored in ((False, True) if self.config.flip else (False,))
        ]
        for scale, mirrored in views:
            seen = image.flip(3) if mirrored else image
            scaled = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
            if scaled != size:
                seen = F.interpolate(seen, size=scaled, mode="bilinear", antialias=True, align_corners=False)
            logits = self._forward(seen)
            if scaled != size:
                logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
            part = logits.flip(3).softmax(1) if mirrored else logits.softmax(1)
            total = part if total is None else total.add_(part)
        assert total is not None
        return (total[0] / len(views)).cpu()

    def _forward(self, image: Tensor) -> Tensor:
        """(1, C, H, W) logits of an image in [0, 1] of any size: padded to what the network takes, and cut again."""
        height, width = image.shape[2:]
        network = self.network
        mean, std = (value.to(self.device).view(1, 3, 1, 1) for value in (network.mean, network.std))
        grid = network.divisor
        padding = (0, -width % grid, 0, -height % grid)
        padded = F.pad((image - mean) / std, padding, mode="replicate") if any(padding) else (image - mean) / std
        output = network(padded.contiguous(memory_format=torch.channels_last))
        logits: Tensor = output.upsampled().float()
        return logits[:, :, :height, :width]
