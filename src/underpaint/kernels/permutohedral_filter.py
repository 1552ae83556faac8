"""Filtering on a permutohedral lattice: splat the points on their vertices, blur along the axes, slice them back.

A vertex holds all channels side by side (padded to a multiple of 8 floats), so every inner loop is a few vector
instructions. A chunk of points works on its own copy of its vertices: no two threads write to the same memory, and the
sums are made in the same order whatever the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from underpaint.kernels.permutohedral_build import CHUNK

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

_BLOCK = 64
"""Points turned from planes into rows at a time: 21 channels of them fill 6 kB."""


@njit(cache=True, parallel=True, fastmath={"contract"})
def splat(planes: Floats, corners: Ints, weights: Floats, starts: Longs, workers: int, entries: Floats) -> None:
    """Add every point to its corners: planes (C, P) into entries (E, padded C), chunk by chunk."""
    channels, points = planes.shape
    for worker in prange(workers):
        rows = np.zeros((_BLOCK, entries.shape[1]), np.float32)
        for chunk in range(worker, starts.size - 1, workers):
            own = entries[starts[chunk] : starts[chunk + 1]]
            own[:] = 0
            last = min(points, (chunk + 1) * CHUNK)
            for start in range(chunk * CHUNK, last, _BLOCK):
                stop = min(last, start + _BLOCK)
                for c in range(channels):
                    plane = planes[c, start:stop]
                    for i in range(plane.size):
                        rows[i, c] = plane[i]
                for p in range(start, stop):
                    splat_row(own, corners[p], weights[p], rows[p - start])


@njit(cache=True, fastmath={"contract"})
def splat_row(entries: Floats, corners: Ints, weights: Floats, row: Floats) -> None:
    """Add one point to its corners."""
    for k in range(corners.size):
        entry, weight = entries[corners[k]], weights[k]
        for c in range(row.size):
            entry[c] += weight * row[c]


@njit(cache=True, parallel=True)
def collect(entries: Floats, first: Ints, order: Ints, workers: int, vertices: Floats) -> None:
    """Sum the chunks' copies of each vertex; row 0, the null vertex, stays zero."""
    count = len(vertices)
    for worker in prange(workers):
        for v in range(count * worker // workers, count * (worker + 1) // workers):
            out = vertices[v]
            out[:] = 0
            for e in range(first[v], first[v + 1]):
                entry = entries[order[e]]
                for c in range(out.size):
                    out[c] += entry[c]


@njit(cache=True, parallel=True, fastmath={"contract"})
def blur(vertices: Floats, neighbours: Ints, workers: int, blurred: Floats) -> None:
    """Blur along one axis with the taps 1/2, 1, 1/2; ``neighbours`` is (M + 1, 2)."""
    count = len(vertices)
    for worker in prange(workers):
        for v in range(count * worker // workers, count * (worker + 1) // workers):
            centre, left, right = vertices[v], vertices[neighbours[v, 0]], vertices[neighbours[v, 1]]
            out = blurred[v]
            for c in range(out.size):
                out[c] = centre[c] + np.float32(0.5) * (left[c] + right[c])


@njit(cache=True, parallel=True, fastmath={"contract"})
def slice_back(
    vertices: Floats,
    vertex: Ints,
    corners: Ints,
    weights: Floats,
    starts: Longs,
    factor: float,
    workers: int,
    planes: Floats,
) -> None:
    """Read every point back from its corners, times ``factor``: vertices (M + 1, padded C) into planes (C, P)."""
    channels, points = planes.shape
    for worker in prange(workers):
        rows = np.zeros((_BLOCK, vertices.shape[1]), np.float32)
        own = np.empty((np.diff(starts).max(), vertices.shape[1]), np.float32)
        for chunk in range(worker, starts.size - 1, workers):
            fetch(vertices, vertex[starts[chunk] : starts[chunk + 1]], own)
            last = min(points, (chunk + 1) * CHUNK)
            for start in range(chunk * CHUNK, last, _BLOCK):
                stop = min(last, start + _BLOCK)
                for p in range(start, stop):
                    slice_row(own, corners[p], weights[p], rows[p - start])
                for c in range(channels):
                    plane = planes[c, start:stop]
                    for i in range(plane.size):
                        plane[i] = np.float32(factor) * rows[i, c]


@njit(cache=True)
def fetch(vertices: Floats, vertex: Ints, own: Floats) -> None:
    """A chunk's own copy of its vertices."""
    for e in range(vertex.size):
        source, target = vertices[vertex[e]], own[e]
        for c in range(source.size):
            target[c] = source[c]


@njit(cache=True, fastmath={"contract"})
def slice_row(entries: Floats, corners: Ints, weights: Floats, row: Floats) -> None:
    """Weighted sum of a point's corners, three at a time (their number is padded to a multiple of three)."""
    for k in range(0, corners.size, 3):
        a, b, c = entries[corners[k]], entries[corners[k + 1]], entries[corners[k + 2]]
        wa, wb, wc = weights[k], weights[k + 1], weights[k + 2]
        if k == 0:
            for i in range(row.size):
                row[i] = wa * a[i] + wb * b[i] + wc * c[i]
        else:
            for i in range(row.size):
                row[i] = row[i] + wa * a[i] + wb * b[i] + wc * c[i]
