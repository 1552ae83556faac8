"""One mean-field iteration in one pass over the pixels: slice both lattices, weigh, normalise, splat onto both again.

The distribution of a pixel exists only inside the pass. Between two iterations only the vertices of the lattices exist.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from underpaint.kernels.bilateral.filter import fetch
from underpaint.kernels.bilateral.tiles import RUN, Tiles
from underpaint.kernels.machine_code import compiled
from underpaint.kernels.vectors import exp2, gather, scatter, set_scaled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Corners = NDArray[np.uint16]

_LOG2E = np.float32(math.log2(math.e))


class Embedding(NamedTuple):
    """One kernel: the places of the pixels in its lattice, and memory for the sums.

    Args:
        corners: (P, d + 1) entry at each corner of the simplex around a pixel.
        weights: (P, d + 1) barycentric weights, divided by the square root of the pixel's sum of affinities.
        starts: (tiles + 1,) first entry of each tile.
        vertex: (entries,) vertex of each entry.
        entries: (entries, padded C), memory for the sums.
    """

    corners: Corners
    weights: Floats
    starts: Longs
    vertex: Ints
    entries: Floats


@compiled(parallel=True)
def load(probabilities: Floats, least: float, workers: int, rows: Floats) -> None:
    """Clip planes (C, P) to ``least``..1 and transpose them into zero-padded rows (P, padded C)."""
    channels, points = probabilities.shape
    low, high = np.float32(least), np.float32(1)
    for worker in prange(workers):
        for start in range(worker * RUN, points, workers * RUN):
            stop = min(points, start + RUN)
            rows[start:stop, channels:] = 0
            for c in range(channels):
                plane = probabilities[c, start:stop]
                for i in range(plane.size):
                    rows[start + i, c] = min(max(plane[i], low), high)


@compiled(parallel=True)
def step(
    rows: Floats,
    channels: int,
    tiles: Tiles,
    one: Embedding,
    two: Embedding,
    vertices_one: Floats,
    vertices_two: Floats,
    scales: tuple[float, float],
    last: bool,
    workers: int,
) -> None:
    """Turn blurred vertices into the splatted next distribution; the last iteration writes it into ``rows`` instead.

    Args:
        rows: (P, padded C) clipped unary probabilities.
        channels: C.
        tiles: Order of the pixels, the same in both lattices.
        one: First kernel.
        two: Second kernel.
        vertices_one: (M + 1, padded C) blurred vertices of the first kernel. Empty before the first iteration: there is
            no message yet, and the unary distribution is splatted.
        vertices_two: The same for the second kernel.
        scales: Weight of each kernel times the slicing factor of its lattice.
        last: Whether this is the last iteration.
        workers: Number of threads.
    """
    padded = rows.shape[1]
    scale_one, scale_two = np.float32(scales[0]), np.float32(scales[1])
    for worker in prange(workers):
        own_one = np.empty((np.diff(one.starts).max(), padded), np.float32)
        own_two = np.empty((np.diff(two.starts).max(), padded), np.float32)
        message = np.zeros((RUN, padded), np.float32)
        share = np.empty(RUN, np.float32)
        for tile in range(worker, one.starts.size - 1, workers):
            here = slice(one.starts[tile], one.starts[tile + 1])
            there = slice(two.starts[tile], two.starts[tile + 1])
            if vertices_one.size:
                fetch(vertices_one, one.vertex[here], own_one)
                fetch(vertices_two, two.vertex[there], own_two)
            first, second = one.entries[here], two.entries[there]
            if not last:
                first[:] = 0
                second[:] = 0
            for start, stop in tiles.runs[tiles.first[tile] : tiles.first[tile + 1]]:
                if vertices_one.size:
                    message[:] = 0
                    for p in range(start, stop):
                        gather(message, p - start, scale_one, own_one, one.corners, one.weights, p)
                        gather(message, p - start, scale_two, own_two, two.corners, two.weights, p)
                block = message[: stop - start]
                _subtract_largest(block, channels)
                _exponentiate(block.ravel(), rows[start:stop].ravel())
                _inverse_sums(block, share)
                if last:
                    for p in range(start, stop):
                        set_scaled(rows, p, share[p - start], message, p - start)
                else:
                    for p in range(start, stop):
                        scatter(first, one.corners, one.weights, p, share[p - start], message, p - start)
                        scatter(second, two.corners, two.weights, p, share[p - start], message, p - start)
                    if not vertices_one.size:
                        message[:] = 0


@compiled(fastmath={"reassoc", "nnan", "nsz"})
def _subtract_largest(message: Floats, channels: int) -> None:
    """Subtract the largest value of every row, so that the exponential neither overflows nor vanishes."""
    for i in range(len(message)):
        row = message[i]
        largest = row[0]
        for c in range(1, channels):
            largest = max(largest, row[c])
        for c in range(row.size):
            row[c] -= largest


@compiled(fastmath={"contract"})
def _exponentiate(message: Floats, unary: Floats) -> None:
    """Replace m by ``u exp(m)`` for all pixels of a block in one loop. Padding has u = 0."""
    for c in range(message.size):
        message[c] = unary[c] * exp2(min(message[c] * _LOG2E, np.float32(0)))


@compiled(fastmath={"reassoc", "nsz"}, error_model="numpy")
def _inverse_sums(q: Floats, share: Floats) -> None:
    for i in range(len(q)):
        total = np.float32(0)
        for c in range(q.shape[1]):
            total += q[i, c]
        share[i] = np.float32(1) / total
