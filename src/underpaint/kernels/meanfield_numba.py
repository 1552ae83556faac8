"""One mean-field step in one pass over the pixels: slice both lattices, weigh, normalise, splat onto both again.

The distribution of a pixel exists only inside the pass; what is kept between two steps is on the lattices' vertices.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from underpaint.kernels.exponential import exp2
from underpaint.kernels.machine_code import compiled
from underpaint.kernels.permutohedral_filter import fetch
from underpaint.kernels.permutohedral_tiles import RUN, Tiles
from underpaint.kernels.rows import add_scaled, gather, scatter, set_scaled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Corners = NDArray[np.uint16]

_LOG2E = np.float32(math.log2(math.e))


class Side(NamedTuple):
    """One kernel: where the pixels lie in its lattice, and room for the sums."""

    corners: Corners  # (P, d + 1)
    weights: Floats  # (P, d + 1) barycentric, over the root of the pixel's sum of affinities
    starts: Longs  # (tiles + 1,)
    vertex: Ints  # (entries,)
    entries: Floats  # (entries, padded C)


@compiled(parallel=True)
def load(probabilities: Floats, least: float, workers: int, rows: Floats) -> None:
    """Clip planes (C, P) to ``least``..1 and turn them into zero-padded rows (P, padded C)."""
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
    one: Side,
    two: Side,
    vertices_one: Floats,
    vertices_two: Floats,
    scales: tuple[float, float],
    matrix: Floats,
    last: bool,
    workers: int,
) -> None:
    """From blurred vertices to the splatted next distribution; the last step writes it into ``rows`` instead.

    Args:
        rows: (P, padded C) clipped unary probabilities.
        channels: C.
        tiles: Order of the pixels, the same in both lattices.
        one: First kernel.
        two: Second kernel.
        vertices_one: (M + 1, padded C) of the first kernel; empty: no message yet, splat the unary distribution.
        vertices_two: The same of the second.
        scales: Compatibility times the lattice's slicing factor of both.
        matrix: (C, padded C), row b is minus the cost of every class beside class b; empty: Potts.
        last: Whether to keep the distribution.
        workers: Threads.
    """
    padded = rows.shape[1]
    scale_one, scale_two = np.float32(scales[0]), np.float32(scales[1])
    for worker in prange(workers):
        own_one = np.empty((np.diff(one.starts).max(), padded), np.float32)
        own_two = np.empty((np.diff(two.starts).max(), padded), np.float32)
        message, spare = np.zeros((RUN, padded), np.float32), np.zeros((RUN, padded), np.float32)
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
                if matrix.size:
                    message, spare = spare, message
                    _compare(message, spare, matrix)
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


@compiled()
def _compare(out: Floats, message: Floats, matrix: Floats) -> None:
    """The matrix times every message."""
    out[:] = 0
    for i in range(len(message)):
        for b in range(len(matrix)):
            add_scaled(out, i, message[i, b], matrix, b)


@compiled(fastmath={"reassoc", "nnan", "nsz"})
def _subtract_largest(message: Floats, channels: int) -> None:
    """So that the exponential neither overflows nor vanishes."""
    for i in range(len(message)):
        row = message[i]
        largest = row[0]
        for c in range(1, channels):
            largest = max(largest, row[c])
        for c in range(row.size):
            row[c] -= largest


@compiled(fastmath={"contract"})
def _exponentiate(message: Floats, unary: Floats) -> None:
    """Replace m by ``u exp(m)``; all pixels of a block in one loop. Padding has u = 0."""
    for c in range(message.size):
        message[c] = unary[c] * exp2(min(message[c] * _LOG2E, np.float32(0)))


@compiled(fastmath={"reassoc", "nsz"}, error_model="numpy")
def _inverse_sums(q: Floats, share: Floats) -> None:
    for i in range(len(q)):
        total = np.float32(0)
        for c in range(q.shape[1]):
            total += q[i, c]
        share[i] = np.float32(1) / total
