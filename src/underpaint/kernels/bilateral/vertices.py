"""The vertices of a permutohedral lattice: a hash table of their keys, their numbers, and their neighbours.

Each tile of points has found its own vertices. A short pass on one thread numbers the vertices of all tiles together.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from underpaint.kernels.machine_code import compiled

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]


@compiled()
def new_table(size: int) -> Longs:
    """Make an empty hash table of (key, number) pairs; its size is a power of two, and the key of a free slot is -1."""
    table = np.empty((size, 2), np.int64)
    table[:, 0] = -1
    return table


@compiled()
def find(table: Longs, key: int) -> np.int64:
    """Return the slot of a key, or the free slot where it belongs (multiplicative hashing, linear probing)."""
    mask = len(table) - 1
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio
    slot = np.int64(mixed >> np.uint64(32)) & mask
    while table[slot, 0] != key and table[slot, 0] >= 0:
        slot = (slot + 1) & mask
    return slot


@compiled()
def grow(table: Longs) -> Longs:
    """Copy the table into one that is twice as large."""
    larger = new_table(2 * len(table))
    for key, number in table:
        if key >= 0:
            slot = find(larger, key)
            larger[slot, 0], larger[slot, 1] = key, number
    return larger


@compiled()
def merge(found: Longs, counts: Longs, starts: Longs, vertex: Ints) -> Longs:
    """Number the vertices of all tiles together, in the order in which they appear.

    Args:
        found: (tiles, capacity (d + 1)) keys, as `simplices.locate` leaves them.
        counts: (tiles,) number of vertices of each tile.
        starts: (tiles + 1,) first entry of each tile. The first entry is its null vertex, the others are its vertices.
        vertex: (entries,); receives the vertex of each entry, from 1, and 0 for the null vertex.

    Returns:
        (M,) keys of the vertices.
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
    """Sort entries by vertex: vertex v has ``entries[first[v]:first[v + 1]]``; the null vertex has none."""
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
        keys: (M,) in ascending order; vertex v has the key ``keys[v - 1]``.
        stride: (d + 1,) factors of the keys.
        neighbours: (d + 1, M + 1, 2) zeros; receives the numbers of the neighbours that exist.
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
