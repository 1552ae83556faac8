"""The order in which the points of a lattice are worked on: tile by tile, so that a tile's vertices are few."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[np.int64]

RUN = 64
"""Points at most that are handled together; they are neighbours in memory."""

_LARGE, _SMALL = (64, 128), (32, 64)
"""Rows and columns of a tile: 8192 points, whose vertices and sums fit a core's second-level cache, or a quarter of
that in images below `_MANY` pixels, so that there is work for every core."""

_MANY = 32_768
"""Pixels from which on the large tiles are used: four of them. A large tile costs a third less per pixel."""


class Tiles(NamedTuple):
    """Every point once, in runs that are grouped into tiles; the same for any number of threads."""

    runs: Longs  # (R, 2) first point of each run and the one after its last
    first: Longs  # (tiles + 1,) first run of each tile
    capacity: int  # points that no tile exceeds

    @classmethod
    def of(cls, points: int, width: int | None) -> Tiles:
        """Tiles of an image that is ``width`` pixels wide, or of points without such an order (None)."""
        rows, columns = _LARGE if points >= _MANY else _SMALL
        if width is None:
            rows, columns, width = 1, rows * columns, points
        row, column = np.arange(points // width), np.arange(0, width, RUN)
        across = math.ceil(width / columns)
        tile = (row[:, None] // rows * across + column // columns).ravel()
        start = (row[:, None] * width + column).ravel()
        stop = (row[:, None] * width + np.minimum(column + RUN, width)).ravel()
        order = np.argsort(tile, kind="stable")
        first = np.searchsorted(tile[order], np.arange(tile.max() + 2))
        return cls(np.stack([start, stop], axis=1)[order], first, rows * columns)
