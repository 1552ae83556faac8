"""Settings of a prediction."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from underpaint.core.config import Config
from underpaint.predict.tiles import CELL

MOST, LEAST_SIDE = 1024, 256
"""Of the longest side of a tile that nobody chose: most photographs for the web are not larger."""

LEAST_TILE = 128
"""Pixels of the image below which a tile is not cut, whatever the scale: less has no surroundings to speak of."""


class PredictConfig(Config):
    """Settings of a prediction.

    Attributes:
        scales: Factors on the image's size; probabilities are averaged over them.
        flip: Average with the prediction on the mirrored image.
        crf: Sharpen borders with a dense CRF, tile by tile.
        tile: Longest side in pixels of what the network sees at once; larger images are cut into tiles. None takes
            what the network saw in training, and the overlap (`side_of`): a network that is shown much more at once
            labels the same pixels otherwise (``benchmarks/tiles.py``).
        overlap: Pixels around each tile that the network sees as well. Neighbours are averaged over the inner half, the
            outer half gives surroundings.
        engine: What runs the network: ``torch``; ``onnx`` (ONNX Runtime, CPU alone, about 1.5 times as fast there); or
            ``auto``, the faster one that is installed.
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
    def looks(self) -> list[tuple[float, bool]]:
        """(scale, mirrored) of each pass over the image."""
        return [(scale, mirrored) for scale in self.scales for mirrored in (False, True)[: 1 + self.flip]]

    def side_of(self, field: int | None) -> int:
        """Longest side of a tile for a network that saw ``field`` pixels at once in training.

        Once the overlap more than that, rounded up, at least four times the overlap, and 1024 at most, which needs
        about 1 GB with 21 classes.
        """
        if self.tile is not None:
            return self.tile
        if field is None:
            return MOST
        side = CELL * math.ceil((field + self.overlap) / CELL)
        return min(max(side, 4 * self.overlap, LEAST_SIDE), max(MOST, 4 * self.overlap))

    def image_tile(self, field: int | None) -> tuple[int, int]:
        """Tile and overlap in pixels of the image: smaller by the largest scale, so that memory stays bounded.

        A tile is not cut below 128 pixels, and an overlap not below 32.
        """
        reach = max(1.0, *self.scales)
        tile = max(LEAST_TILE, int(self.side_of(field) / reach) // CELL * CELL)
        overlap = max(min(self.overlap, CELL), int(self.overlap / reach) // CELL * CELL)
        return tile, overlap
