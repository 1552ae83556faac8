"""Settings of a prediction."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from underpaint.core.config import Config
from underpaint.predict.tiles import CELL

MOST, LEAST_SIDE = 1024, 256
"""Largest and smallest value in pixels for the longest side of a tile if none is set."""

LEAST_TILE = 128
"""Smallest side of a tile in pixels of the image, at any scale: a smaller tile has too little context."""


class PredictConfig(Config):
    """Settings of a prediction.

    Attributes:
        scales: Factors on the image's size, each from 0.25 to 4; probabilities are averaged over them (test-time
            augmentation).
        flip: Also average with the prediction for the mirrored image.
        crf: Let borders follow the edges of the image, with a dense CRF in each tile. The functions and the command
            switch it on.
        tile: Longest side in pixels of the network's input; larger images are cut into tiles. None computes it from the
            size of the training views and the overlap (`side_of`): a network with a much larger input than in training
            labels the same pixels differently (``benchmarks/tiles.py``).
        overlap: Width in pixels of the context around each tile. Neighbouring tiles are averaged over its inner half.
        engine: What runs the network: ``torch``; ``onnx`` (ONNX Runtime, only on a CPU, about 1.5 times as fast there);
            or ``auto``, the fastest that is installed.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    crf: bool = False
    tile: int | None = Field(default=None, ge=256, multiple_of=CELL)
    overlap: int = Field(default=64, ge=0, multiple_of=CELL)
    engine: Literal["auto", "torch", "onnx"] = "auto"

    @field_validator("scales")
    @classmethod
    def _in_range(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if not scales or not all(0.25 <= scale <= 4 for scale in scales):
            raise ValueError("give one scale or more, each from 0.25 to 4")
        return scales

    @model_validator(mode="after")
    def _keeps_half(self) -> Self:
        if self.tile is not None and 4 * self.overlap > self.tile:
            raise ValueError(
                f"overlap {self.overlap} is more than a quarter of tile {self.tile}: most work is thrown away"
            )
        return self

    @property
    def passes(self) -> list[tuple[float, bool]]:
        """(scale, mirrored) of each forward pass over an image."""
        return [(scale, mirrored) for scale in self.scales for mirrored in (False, True)[: 1 + self.flip]]

    def side_of(self, field: int | None) -> int:
        """Longest side of a tile in pixels for a network that was trained on views of ``field`` pixels.

        It is ``field`` plus the overlap, rounded up to a multiple of 32, at least four times the overlap and at most
        1024, which needs about 1 GB of memory with 21 classes. It is 1024 for a linear decoder, which is fitted on
        whole images.
        """
        if self.tile is not None:
            return self.tile
        if field is None:
            return MOST
        side = CELL * math.ceil((field + self.overlap) / CELL)
        return min(max(side, 4 * self.overlap, LEAST_SIDE), max(MOST, 4 * self.overlap))

    def image_tile(self, field: int | None) -> tuple[int, int]:
        """Tile and overlap in pixels of the image: divided by the largest scale, so that memory stays bounded.

        A tile has at least 128 pixels, and an overlap at least 32 or its setting.
        """
        reach = max(1.0, *self.scales)
        tile = max(LEAST_TILE, int(self.side_of(field) / reach) // CELL * CELL)
        overlap = max(min(self.overlap, CELL), int(self.overlap / reach) // CELL * CELL)
        return tile, overlap
