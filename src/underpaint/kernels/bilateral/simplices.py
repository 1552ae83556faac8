"""Find the simplex of the permutohedral lattice that contains each point, and the weights of its corners.

Each tile of points finds its own vertices with a hash table that fits the cache of a core.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from underpaint.kernels.bilateral.tiles import RUN, Tiles
from underpaint.kernels.bilateral.vertices import find, grow, new_table
from underpaint.kernels.machine_code import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Corners = NDArray[np.uint16]  # Numbers within a tile need 16 bits. The corners are the largest part of a lattice.


@compiled(parallel=True, fastmath={"contract"})
def locate(
    features: Floats,
    active: NDArray[np.uint8],
    scale: Floats,
    stride: Longs,
    base: int,
    tiles: Tiles,
    workers: int,
    corners: Corners,
    weights: Floats,
    found: Longs,
    counts: Longs,
) -> None:
    """Find the simplex of every point.

    Args:
        features: (d, P).
        active: (P,), or empty if all points are active. A point that is not active touches no vertex.
        scale: (d,) factors of the features, see `coordinates.elevation_scale`.
        stride: (d + 1,) factors that pack the first d coordinates of a vertex into a key, see `coordinates.packing`.
        base: Added to every key, so that no key is negative.
        tiles: Order of the points.
        workers: Number of threads.
        corners: (P, d + 1) zeros; receives the numbers of the vertices within the tile, from 1.
        weights: (P, d + 1) zeros; receives the barycentric weights.
        found: (tiles, capacity (d + 1)); receives the keys of the vertices of each tile.
        counts: (tiles,); receives the number of vertices of each tile.
    """
    for worker in prange(workers):
        for tile in range(worker, counts.size, workers):
            runs = tiles.runs[tiles.first[tile] : tiles.first[tile + 1]]
            counts[tile] = _locate_tile(features, active, scale, stride, base, runs, corners, weights, found[tile])


@compiled()
def _locate_tile(
    features: Floats,
    active: NDArray[np.uint8],
    scale: Floats,
    stride: Longs,
    base: int,
    runs: Longs,
    corners: Corners,
    weights: Floats,
    found: Longs,
) -> int:
    """As `locate`, for one tile; returns the number of vertices found.

    This is not part of the parallel loop, because in such a loop numba assumes that the size of an array never changes,
    and the hash table grows.
    """
    dims = len(features)
    keys = np.empty((dims + 1, RUN), np.int64)
    share = np.empty((dims + 1, RUN), np.float32)
    table, known = new_table(4096), 0
    for start, stop in runs:
        embed(features[:, start:stop], scale, stride, base, keys, share)
        for p in range(start, stop):
            if active.size and not active[p]:
                continue
            for m in range(dims + 1):
                key = keys[m, p - start]
                slot = find(table, key)
                if table[slot, 0] < 0:
                    found[known] = key
                    known += 1
                    table[slot, 0], table[slot, 1] = key, known
                    if 2 * known > len(table):
                        table = grow(table)
                    corners[p, m] = known
                else:
                    corners[p, m] = table[slot, 1]
                weights[p, m] = share[m, p - start]
    return known


@compiled(fastmath={"contract"})
def embed(features: Floats, scale: Floats, stride: Longs, base: int, keys: Longs, share: Floats) -> None:
    """Compute keys and barycentric weights of the d + 1 vertices around each point of a block.

    paper: Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", 2010, section 3.
    """
    dims, size = features.shape
    n = dims + 1
    elevated = np.empty((n, size), np.float32)
    rounded = np.empty((n, size), np.int32)
    rank = np.zeros((n, size), np.int32)
    _elevate(features, scale, elevated)
    _round(elevated, rounded, rank)
    # Bring residuals and strides into the order of the rank.
    residual = np.empty((n, size), np.float32)
    steps = np.empty((n, size), np.int64)
    for i in range(n):
        for p in range(size):
            residual[rank[i, p], p] = (elevated[i, p] - np.float32(rounded[i, p])) / np.float32(n)
            steps[rank[i, p], p] = n * stride[i]
    total = stride.sum()
    keys[0, :size] = base
    for i in range(dims):
        for p in range(size):
            keys[0, p] += rounded[i, p] * stride[i]
    for p in range(size):
        share[0, p] = np.float32(1) + residual[dims, p] - residual[0, p]
    for m in range(1, n):
        for p in range(size):
            keys[m, p] = keys[m - 1, p] + total - steps[n - m, p]
            share[m, p] = residual[dims - m, p] - residual[n - m, p]


@compiled(fastmath={"contract"})
def _elevate(features: Floats, scale: Floats, elevated: Floats) -> None:
    """Map the points into the hyperplane of d + 1 coordinates that sum to zero."""
    dims, size = features.shape
    total = np.zeros(size, np.float32)
    for j in range(dims, 0, -1):
        feature, row, factor, count = features[j - 1], elevated[j], scale[j - 1], np.float32(j)
        for p in range(size):
            scaled = feature[p] * factor
            row[p] = total[p] - count * scaled
            total[p] += scaled
    elevated[0] = total


@compiled(fastmath={"contract"})
def _round(elevated: Floats, rounded: Ints, rank: Ints) -> None:
    """Find the nearest lattice point of remainder 0 and rank the residuals, largest first and ties by index."""
    n, size = elevated.shape
    total = np.zeros(size, np.int32)
    for i in range(n):
        row, out = elevated[i], rounded[i]
        for p in range(size):
            whole = np.int32(math.floor(row[p] / np.float32(n) + np.float32(0.5)))
            total[p] += whole
            out[p] = whole * np.int32(n)
    for i in range(n):
        for j in range(i + 1, n):
            a, b, near, other, mine, theirs = elevated[i], elevated[j], rounded[i], rounded[j], rank[i], rank[j]
            for p in range(size):
                later = np.int32(a[p] - np.float32(near[p]) < b[p] - np.float32(other[p]))
                mine[p] += later
                theirs[p] += np.int32(1) - later
    for i in range(n):
        mine, out = rank[i], rounded[i]
        for p in range(size):
            shifted = mine[p] + total[p]
            wrap = np.int32(n) * (np.int32(shifted < 0) - np.int32(shifted >= n))
            mine[p] = shifted + wrap
            out[p] += wrap
