"""Filtering on a permutohedral lattice: splat the points on the vertices, blur along every axis, slice the points back.

A vertex stores all channels side by side. Each tile of points works on its own copy of its vertices. So no two threads
write to the same memory, and the sums are made in the same order for any number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from underpaint.kernels.bilateral.tiles import RUN, Tiles
from underpaint.kernels.machine_code import compiled
from underpaint.kernels.vectors import add_scaled, gather, scatter, set_scaled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Corners = NDArray[np.uint16]


@compiled(parallel=True)
def splat(
    planes: Floats, tiles: Tiles, corners: Corners, weights: Floats, starts: Longs, workers: int, entries: Floats
) -> None:
    """Add every point of the planes (C, P) to the entries (E, padded C) at its corners, tile by tile."""
    channels = len(planes)
    for worker in prange(workers):
        rows = np.zeros((RUN, entries.shape[1]), np.float32)
        for tile in range(worker, starts.size - 1, workers):
            own = entries[starts[tile] : starts[tile + 1]]
            own[:] = 0
            for start, stop in tiles.runs[tiles.first[tile] : tiles.first[tile + 1]]:
                for c in range(channels):
                    plane = planes[c, start:stop]
                    for i in range(plane.size):
                        rows[i, c] = plane[i]
                for p in range(start, stop):
                    scatter(own, corners, weights, p, np.float32(1), rows, p - start)


@compiled(parallel=True)
def collect(entries: Floats, first: Ints, order: Ints, workers: int, vertices: Floats) -> None:
    """Sum the copies of each vertex over the tiles; row 0, the null vertex, becomes zero."""
    count = len(vertices)
    for worker in prange(workers):
        for v in range(count * worker // workers, count * (worker + 1) // workers):
            if v == 0:
                vertices[v] = 0
                continue
            set_scaled(vertices, v, np.float32(1), entries, order[first[v]])
            for e in range(first[v] + 1, first[v + 1]):
                add_scaled(vertices, v, np.float32(1), entries, order[e])


@compiled(parallel=True)
def blur(vertices: Floats, neighbours: Ints, workers: int, blurred: Floats) -> None:
    """Blur along one axis with the taps 1/2, 1, 1/2; ``neighbours`` is (M + 1, 2) and 0 where there is none."""
    count = len(vertices)
    for worker in prange(workers):
        for v in range(count * worker // workers, count * (worker + 1) // workers):
            set_scaled(blurred, v, np.float32(1), vertices, v)
            for side in range(
                2
            ):  # The null vertex is zero. A test for it would cost more: its branch is hard to predict.
                add_scaled(blurred, v, np.float32(0.5), vertices, neighbours[v, side])


@compiled(parallel=True)
def slice_back(
    vertices: Floats,
    vertex: Ints,
    tiles: Tiles,
    corners: Corners,
    weights: Floats,
    starts: Longs,
    factor: float,
    workers: int,
    planes: Floats,
) -> None:
    """Interpolate every point of planes (C, P) from the vertices (M + 1, padded C) at its corners, times ``factor``."""
    channels = len(planes)
    scale = np.float32(factor)
    for worker in prange(workers):
        rows = np.zeros((RUN, vertices.shape[1]), np.float32)
        own = np.empty((np.diff(starts).max(), vertices.shape[1]), np.float32)
        for tile in range(worker, starts.size - 1, workers):
            fetch(vertices, vertex[starts[tile] : starts[tile + 1]], own)
            for start, stop in tiles.runs[tiles.first[tile] : tiles.first[tile + 1]]:
                rows[:] = 0
                for p in range(start, stop):
                    gather(rows, p - start, scale, own, corners, weights, p)
                for c in range(channels):
                    plane = planes[c, start:stop]
                    for i in range(plane.size):
                        plane[i] = rows[i, c]


@compiled()
def fetch(vertices: Floats, vertex: Ints, own: Floats) -> None:
    """Copy the vertices of a tile into the memory of that tile."""
    for e in range(vertex.size):
        set_scaled(own, e, np.float32(1), vertices, vertex[e])
