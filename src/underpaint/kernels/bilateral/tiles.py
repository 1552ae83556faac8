"""The order in which the points of a lattice are processed: tile by tile, so that each tile has few vertices."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[np.int64]

RUN = 64
"""Largest number of points that are processed together. They are neighbours in memory."""

_LARGE, _SMALL = (64, 128), (32, 64)
"""Rows and columns of a tile. The vertices and sums of a large tile, 8192 points, fit the second-level cache of a core.
Images below `_MANY` pixels use small tiles, a quarter of that, so that every core has work."""

_MANY = 32_768
"""Number of pixels from which large tiles are used: four of them. A large tile costs a third less per pixel."""


class Tiles(NamedTuple):
    """All points, each in one run, the runs grouped into tiles. The number of threads does not change them.

    Args:
        runs: (R, 2) first point of each run, and the point after its last.
        first: (tiles + 1,) first run of each tile.
        capacity: Largest number of points that a tile can have.
    """

    runs: Longs
    first: Longs
    capacity: int

    @classmethod
    def of(cls, points: int, width: int | None) -> Tiles:
        """The tiles of an image that is ``width`` pixels wide, or of points in no particular order (None)."""
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
