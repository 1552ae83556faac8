"""Prediction of single images, with tiles and test-time augmentation (scales and mirror images)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.errors import ConfigError, DataError
from underpaint.models.inference import FullSize
from underpaint.models.network import Network
from underpaint.predict.blend import Area, blended
from underpaint.predict.bounds import Bound, kept_within, within
from underpaint.predict.config import PredictConfig
from underpaint.predict.sharpen import sharpened
from underpaint.predict.tiles import Tile, tiles

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Coarse = npt.NDArray[np.float16]
Forward = Callable[[Tensor], Tensor]

STRIDE = 4
"""Side in pixels of a cell of coarse probabilities: the stride of the default network's logits."""


class Predictor:
    """Predicts single images with a network.

    Args:
        network: The network; it is put into evaluation mode.
        config: Scales, flip, tiles, CRF.
        forward: Function that is used instead of the network: (N, 3, H, W) float RGB in [0, 1] of any size to
            (N, C, H, W) logits (`underpaint.export.choose_forward` returns a faster one on CPUs). None for the network.

    Raises:
        ConfigError: The engine is ``onnx`` and ``forward`` is missing.
    """

    def __init__(self, network: Network, config: PredictConfig, *, forward: Forward | None = None) -> None:
        if forward is None and config.engine == "onnx":
            raise ConfigError(
                "the engine onnx needs an exported network",
                where="PredictConfig.engine",
                fix="pass forward=choose_forward(network, folder, classes, engine='onnx') from underpaint.export",
            )
        whole = FullSize(network)
        self.network = network
        self.config = config
        self.device = whole.mean.device
        self.engine: Literal["torch", "onnx"] = "torch" if forward is None else "onnx"
        self._forward: Forward = forward or whole
        self._scene: Forward | None = None if network.linear_head is None else whole.scene

    @property
    def classes(self) -> int:
        """C, the number of classes of the network."""
        return self.network.head.out_channels

    def probabilities(self, rgb: Pixels, *, bound: Bound | None = None) -> Probabilities:
        """(C, H, W) float32 probabilities of an image. Unlike the other methods, it needs memory for C H W numbers.

        Args:
            rgb: (H, W, 3) uint8 image.
            bound: The classes that hints allow; at each pixel the others have the probability 0. None for no bound.

        Raises:
            DataError: The image is not an (H, W, 3) uint8 array.
        """
        whole = np.empty((self.classes, *rgb.shape[:2]), np.float32)
        for (top, bottom, left, right), part in self._parts(rgb, bound):
            whole[:, top:bottom, left:right] = part.cpu().numpy()
        return whole

    def index(self, rgb: Pixels, *, bound: Bound | None = None) -> Pixels:
        """(H, W) uint8 most probable classes of an (H, W, 3) image; memory holds the scores of one tile at a time."""
        index = np.empty(rgb.shape[:2], np.uint8)
        for area, part in self._parts(rgb, bound, ranks=True):
            _keep_index(index, area, part)
        return index

    def index_and_coarse(self, rgb: Pixels, *, bound: Bound | None = None) -> tuple[Pixels, Coarse]:
        """The (H, W) most probable classes of an (H, W, 3) image, and its probabilities at a quarter of the size.

        The probabilities are (C, ceil(H / 4), ceil(W / 4)) float16: means over cells of 4 x 4 pixels, or over the part
        of a cell that lies within the image. They need C H W / 8 bytes.
        """
        height, width = rgb.shape[:2]
        index = np.empty((height, width), np.uint8)
        coarse = np.empty((self.classes, -(-height // STRIDE), -(-width // STRIDE)), np.float16)
        for area, part in self._parts(rgb, bound):
            _keep_index(index, area, part)
            top, _, left, _ = (edge // STRIDE for edge in area)
            pooled = _pooled(part)
            coarse[:, top : top + pooled.shape[1], left : left + pooled.shape[2]] = pooled
        return index, coarse

    def areas(
        self, size: tuple[int, int], read: Callable[[Area], Pixels], *, first: int = 0
    ) -> Iterator[tuple[Area, Pixels, Coarse]]:
        """Areas of an image that is read tile by tile, with their classes and probabilities as `index_and_coarse`.

        Args:
            size: (H, W) of the image.
            read: Returns the (h, w, B) uint8 pixels of an area.
            first: The row of tiles to begin with, as in `blended`.
        """

        def output(tile: Tile) -> Tensor:
            return self._tile(read(tile.seen), None, ranks=False)

        side, overlap = self.config.image_tile(self.network.field)
        for area, part in blended(size, output, tile=side, overlap=overlap, first=first):
            if part.numel():
                yield area, part.max(0).indices.to(torch.uint8).cpu().numpy(), _pooled(part)

    def _parts(self, rgb: Pixels, bound: Bound | None, *, ranks: bool = False) -> Iterator[tuple[Area, Tensor]]:
        """Areas with their (C, h, w) probabilities; with ``ranks`` any numbers that order the classes alike."""
        bands = self.network.mean.numel()
        if rgb.ndim != 3 or rgb.shape[2] != bands or rgb.dtype != np.uint8 or rgb.size == 0:
            raise DataError(f"the image is {rgb.shape} {rgb.dtype}", accepted=f"(H, W, {bands}) uint8, not empty")
        size = (rgb.shape[0], rgb.shape[1])
        side, overlap = self.config.image_tile(self.network.field)
        every = list(tiles(size, tile=side, overlap=overlap))
        shifts = self._shifts(rgb, every) if self._scene is not None and len(every) > 1 else {}

        def output(tile: Tile) -> Tensor:
            top, bottom, left, right = tile.seen
            allowed = None if bound is None else bound.allowed(tile.seen, self.device)
            seen = rgb[top:bottom, left:right]
            return self._tile(seen, allowed, ranks=ranks and len(every) == 1, shifts=shifts.get(tile))

        yield from blended(size, output, tile=side, overlap=overlap)

    @torch.inference_mode()
    def _shifts(self, rgb: Pixels, every: list[Tile]) -> dict[Tile, Tensor]:
        """(passes, C, 1, 1) for each tile: how the scores change if the mean is that over the image and not the tile.

        A linear decoder, or a linear model beside another decoder, adds the mean of the deepest features over its whole
        input as one term of the scores, so that one number for each class replaces it.
        """
        assert self._scene is not None
        terms, shares = [], []
        for tile in every:
            top, bottom, left, right = tile.seen
            image = self._input(rgb[top:bottom, left:right])
            passes = [forward_at(self._scene, image, *each)[0, :, :1, :1] for each in self.config.passes]
            terms.append(torch.stack(passes))
            shares.append((tile.kept[1] - tile.kept[0]) * (tile.kept[3] - tile.kept[2]))
        mean = sum(term * share for term, share in zip(terms, shares, strict=True)) / sum(shares)
        return {tile: mean - term for tile, term in zip(every, terms, strict=True)}

    def _input(self, rgb: Pixels) -> Tensor:
        """(1, B, H, W) float in [0, 1] of (H, W, B) bytes."""
        return torch.from_numpy(np.ascontiguousarray(rgb)).to(self.device).permute(2, 0, 1)[None].float() / 255

    @torch.inference_mode()
    def _tile(self, rgb: Pixels, allowed: Tensor | None, *, ranks: bool, shifts: Tensor | None = None) -> Tensor:
        """(C, H, W) probabilities averaged over scales and mirror images, and sharpened if the CRF is set."""
        image = self._input(rgb)
        # The mirror image has a pass of its own: a batch of two took 1.0 to 1.15 times as long on a CPU.
        passes = self.config.passes

        def scores(number: int) -> Tensor:
            found = forward_at(self._forward, image, *passes[number])
            return within(found if shifts is None else found + shifts[number], allowed)

        if ranks and len(passes) == 1 and not self.config.crf:
            # The softmax would not change the order of the classes, and takes a tenth of the time of the pass.
            return scores(0)[0]
        total = scores(0).softmax(1)
        for number in range(1, len(passes)):
            total += scores(number).softmax(1)
        mean = total[0] / len(passes)
        if not self.config.crf:
            return mean
        return kept_within(torch.from_numpy(sharpened(mean.cpu().numpy(), rgb)).to(mean), mean, allowed)


def forward_at(forward: Forward, image: Tensor, scale: float, mirrored: bool) -> Tensor:
    """Run ``forward`` on a scaled and perhaps mirrored image; returns its (1, K, H, W) output at the image's size."""
    size = (image.shape[2], image.shape[3])
    scaled = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    seen = image.flip(3) if mirrored else image
    if scaled != size:
        seen = F.interpolate(seen, size=scaled, mode="bilinear", antialias=True, align_corners=False)
    found = forward(seen)
    if scaled != size:
        found = F.interpolate(found, size=size, mode="bilinear", align_corners=False)
    return found.flip(3) if mirrored else found


def _pooled(part: Tensor) -> Coarse:
    """(C, ceil(h / 4), ceil(w / 4)) means of (C, h, w) numbers."""
    return F.avg_pool2d(part, STRIDE, ceil_mode=True).cpu().numpy().astype(np.float16)


def _keep_index(index: Pixels, area: Area, part: Tensor) -> None:
    top, bottom, left, right = area
    if part.numel() == 0:
        return
    best = part.max(0).indices  # takes a sixth of the time of argmax over the outer axis
    index[top:bottom, left:right] = best.to(torch.uint8).cpu().numpy()
