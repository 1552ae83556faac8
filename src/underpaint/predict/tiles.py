"""Cutting an image into tiles that overlap in what is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from underpaint.core.errors import ConfigError

CELL = 32
"""Tiles are cut at multiples of this, the coarsest stride of the networks: a pixel then falls into the same place of a
feature cell in a tile as in the whole image. A network that decides by the surroundings up to half the overlap alone
says the same of tiles as of the whole. DeepLabV3+ does not: it takes a mean over all that it is shown, looks 18 cells
far, and stretches its map over what it is shown. So tiles are as large as what it saw in training, and are blended."""


@dataclass(frozen=True)
class Tile:
    """A part of an image, in image pixels (row0, row1, column0, column1).

    Args:
        seen: What the network is given.
        kept: What is kept of its answer; lies within ``seen``.
    """

    seen: tuple[int, int, int, int]
    kept: tuple[int, int, int, int]


def tiles(size: tuple[int, int], *, tile: int, overlap: int) -> Iterator[Tile]:
    """Tiles that together keep every pixel of an (H, W) image exactly once.

    A side that fits is not cut. The parts of a side differ by at most one cell of 32 pixels in what they keep, save the
    last, which may be cut short by the image's border.

    Args:
        size: (H, W) in pixels.
        tile: Longest side of what is seen; a multiple of 32.
        overlap: Pixels seen beyond what is kept, on each side that does not end at the image's border; a multiple of 32
            and less than half the tile.

    Raises:
        ConfigError: a tile or overlap that is no such multiple, or an overlap that leaves nothing to keep.
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
    """The kept intervals of one side: as few as the tile allows, and of even length."""
    if length <= tile:
        return [(0, length)]
    count = -(-length // (tile - 2 * overlap))
    cells = -(-length // CELL)
    edges = [min(length, CELL * (part * cells // count)) for part in range(count + 1)]
    return list(pairwise(edges))
