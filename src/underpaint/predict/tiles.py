"""Cuts an image into overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from underpaint.core.errors import ConfigError

CELL = 32
"""Tiles are cut at multiples of this number of pixels, the coarsest stride of the networks. A pixel then has the same
position within a feature cell in a tile as in the whole image. A network whose output depends only on pixels within
half the overlap gives the same result for tiles as for the whole image. DeepLabV3+ does not: it uses the mean over its
whole input, and atrous convolutions that reach 18 cells far. So tiles have about the size of the training views, and
their outputs are blended. A linear decoder uses the mean over its whole input as one term of the scores; `Predictor`
replaces the mean over each tile by that over the image."""


@dataclass(frozen=True)
class Tile:
    """A part of an image, in image pixels (row0, row1, column0, column1).

    Args:
        seen: The part that is the input of the network.
        kept: The part whose output is kept; it lies within ``seen``.
    """

    seen: tuple[int, int, int, int]
    kept: tuple[int, int, int, int]


def tiles(size: tuple[int, int], *, tile: int, overlap: int) -> Iterator[Tile]:
    """Cut an (H, W) image into tiles whose kept parts contain every pixel exactly once.

    A side that fits into a tile is not cut. The kept parts of a side differ in length by at most one cell of 32 pixels;
    only the last one may be shorter, because the image ends there.

    Args:
        size: (H, W) in pixels.
        tile: Longest side of the part that the network sees, in pixels; a multiple of 32.
        overlap: Width in pixels of the context around the kept part, on each side that is not a border of the image; a
            multiple of 32 and less than half the tile.

    Raises:
        ConfigError: The tile or the overlap is not such a multiple, or nothing would be kept.
    """
    if tile % CELL or overlap % CELL or not 0 <= 2 * overlap < tile:
        raise ConfigError(
            f"tile {tile} with overlap {overlap}", accepted=f"multiples of {CELL}, the overlap below half the tile"
        )
    height, width = size
    columns = _cuts(width, tile, overlap)
    for top, bottom in _cuts(height, tile, overlap):
        for left, right in columns:
            upper, lower = max(0, top - overlap), min(height, bottom + overlap)
            yield Tile(
                seen=(upper, lower, max(0, left - overlap), min(width, right + overlap)),
                kept=(top, bottom, left, right),
            )


def _cuts(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """The kept intervals of one side: as few as the tile allows, and of equal length."""
    if length <= tile:
        return [(0, length)]
    count = -(-length // (tile - 2 * overlap))
    cells = -(-length // CELL)
    edges = [min(length, CELL * (part * cells // count)) for part in range(count + 1)]
    return list(pairwise(edges))
