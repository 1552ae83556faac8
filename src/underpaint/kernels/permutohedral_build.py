"""Building a permutohedral lattice: which simplex every point lies in, and which vertices exist.

A tile of points finds its own vertices with a hash table that fits a core's cache; a short serial pass merges them.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from underpaint.kernels.machine_code import compiled
from underpaint.kernels.permutohedral_tiles import RUN, Tiles

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Corners = NDArray[np.uint16]

CORNER = np.uint16
"""Type of a corner's number within its tile: half the memory of the largest part of a lattice."""


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
        active: (P,), or empty for all; a point that is not active touches no vertex.
        scale: (d,) of the elevation.
        stride: (d + 1,) factors that pack a vertex's first d coordinates into one integer, the last 0.
        base: Added to every packed key, so that none is negative.
        tiles: Order of the points.
        workers: Threads.
        corners: (P, d + 1), zeros; receives the tile's own vertex numbers from 1 on.
        weights: (P, d + 1), zeros; receives the barycentric weights.
        found: (tiles, capacity (d + 1)); receives the keys of each tile's vertices.
        counts: (tiles,); receives their number.
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

    Apart from the parallel loop, because numba takes the size of an array that such a loop replaces for constant.
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
    """Packed keys and barycentric weights of the d + 1 vertices around each point of a block.

    paper: Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", 2010, section 3.
    """
    dims, size = features.shape
    n = dims + 1
    elevated = np.empty((n, size), np.float32)
    rounded = np.empty((n, size), np.int32)
    rank = np.zeros((n, size), np.int32)
    _elevate(features, scale, elevated)
    _round(elevated, rounded, rank)
    # Residuals and strides in the order of the rank.
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
    """Into the hyperplane of d + 1 coordinates that sum to zero."""
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
    """Nearest lattice point of remainder 0, and the order of the residuals (largest first, ties by index)."""
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


@compiled()
def merge(found: Longs, counts: Longs, starts: Longs, vertex: Ints) -> Longs:
    """Number the vertices of all tiles together, in the order in which they are met.

    Args:
        found: Keys, as `locate` leaves them.
        counts: (tiles,) vertices of each tile.
        starts: (tiles + 1,) first entry of each tile; an entry is a tile's null vertex or one of its vertices.
        vertex: (entries,); receives the vertex of each entry from 1 on, 0 for null.

    Returns:
        The keys of the vertices.
    """
    table, keys = new_table(4096), np.empty(counts.sum(), np.int64)
    known = 0
    for tile in range(counts.size):
        vertex[starts[tile]] = 0
        for k in range(counts[tile]):
            key = found[tile, k]
            slot = find(table, key)
            if table[slot, 0] < 0:
                keys[known] = key
                known += 1
                table[slot, 0], table[slot, 1] = key, known
                vertex[starts[tile] + 1 + k] = known
                if 2 * known > len(table):
                    table = grow(table)
            else:
                vertex[starts[tile] + 1 + k] = table[slot, 1]
    return keys[:known]


@compiled()
def group_entries(vertex: Ints, first: Ints, entries: Ints) -> None:
    """Entries sorted by vertex: those of vertex v are ``entries[first[v]:first[v + 1]]``, null left out."""
    for v in vertex:
        if v > 0:
            first[v + 1] += 1
    for v in range(1, first.size):
        first[v] += first[v - 1]
    place = first.copy()
    for e in range(vertex.size):
        v = vertex[e]
        if v > 0:
            entries[place[v]] = e
            place[v] += 1


@compiled(parallel=True)
def link(keys: Longs, stride: Longs, neighbours: Ints) -> None:
    """Find the neighbours of every vertex along every axis.

    Args:
        keys: (M,), ascending; vertex v has the key ``keys[v - 1]``.
        stride: (d + 1,).
        neighbours: (d + 1, M + 1, 2), zeros; receives the numbers of those that exist.
    """
    for axis in prange(stride.size):
        move = stride.size * stride[axis] - stride.sum()
        at = 0
        for v in range(keys.size):
            wanted = keys[v] + move
            while at < keys.size - 1 and keys[at] < wanted:
                at += 1
            if keys[at] == wanted:
                neighbours[axis, v + 1, 1] = at + 1
                neighbours[axis, at + 1, 0] = v + 1


@compiled()
def new_table(size: int) -> Longs:
    """Empty hash table of (key, number) pairs; the size is a power of two and an unused key is -1."""
    table = np.empty((size, 2), np.int64)
    table[:, 0] = -1
    return table


@compiled()
def find(table: Longs, key: int) -> np.int64:
    """Slot of a key, or the unused slot where it belongs (multiplicative hashing, linear probing)."""
    mask = len(table) - 1
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
    slot = np.int64(mixed >> np.uint64(32)) & mask
    while table[slot, 0] != key and table[slot, 0] >= 0:
        slot = (slot + 1) & mask
    return slot


@compiled()
def grow(table: Longs) -> Longs:
    """The same table, twice as large."""
    larger = new_table(2 * len(table))
    for key, number in table:
        if key >= 0:
            slot = find(larger, key)
            larger[slot, 0], larger[slot, 1] = key, number
    return larger
