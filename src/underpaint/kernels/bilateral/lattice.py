"""The permutohedral lattice: an approximate Gaussian filter over points in d dimensions, linear in their number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from underpaint.core.errors import ConfigError
from underpaint.kernels.bilateral.coordinates import elevation_scale, packing
from underpaint.kernels.bilateral.tiles import Tiles
from underpaint.kernels.jit import prepare

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

Direction = Literal["forth", "back", "both"]
"""The filter A, its transpose A', or their sum A + A'."""

PURPOSE = "permutohedral lattices"
COMPILE_SECONDS = 20

MOST_DIMENSIONS = 6
"""A tile of at most 8192 points has at most 8192 (d + 1) corners, which 16 bits can number up to 6 dimensions."""


@dataclass(frozen=True)
class Lattice:
    """P points in a lattice of M vertices. It is built once and then filters any number of values.

    `filter` approximates ``sum_j exp(-|f_i - f_j|² / 2) v_j``, the point itself included, up to a factor of about 0.4
    to 0.6 that depends on the points. Division by the filter of ones gives an average. The filter is linear; its exact
    transpose blurs along the axes in reverse order.

    paper: Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", Eurographics 2010.

    Args:
        dimensions: d.
        corners: (P, d + 1) entry of the own tile at each corner of the simplex around a point.
        weights: (P, d + 1) barycentric weights of the corners.
        tiles: The order in which the points are processed.
        starts: (tiles + 1,) first entry of each tile. An entry is a tile's own copy of a vertex.
        vertex: (entries,) number of the vertex of each entry, from 1; 0 is the null vertex.
        first: (M + 2,) position in ``order`` of the first entry of each vertex.
        order: Entries sorted by vertex, without those of the null vertex.
        neighbours: (d + 1, M + 1, 2) the two neighbours of each vertex along each axis; 0 where there is none.
    """

    dimensions: int
    corners: NDArray[np.uint16]
    weights: Floats
    tiles: Tiles
    starts: Longs
    vertex: Ints
    first: Ints
    order: Ints
    neighbours: Ints

    @classmethod
    def build(cls, features: Floats, active: NDArray[np.bool_] | None = None, *, width: int | None = None) -> Lattice:
        """Build the lattice of points whose features are divided by the standard deviations of the Gaussian.

        Args:
            features: (d, P), contiguous and finite.
            active: (P,) points to use; the others touch no vertex, contribute nothing and receive 0. None means all.
            width: Width of the image if the points are the pixels of an image, row by row. None: any points.

        Raises:
            DataError: a feature is not finite.
            ConfigError: more than 6 dimensions, or standard deviations so small that there are over 2^62 cells.
        """
        from underpaint.kernels.bilateral import simplices, vertices  # numba takes long to import

        threads = prepare(simplices.locate, purpose=PURPOSE, seconds=COMPILE_SECONDS)
        dims, points = features.shape
        if dims > MOST_DIMENSIONS:
            raise ConfigError(f"the points have {dims} dimensions", accepted=f"1 to {MOST_DIMENSIONS}")
        scale = elevation_scale(dims)
        stride, base = packing(features.min(axis=1) * scale, features.max(axis=1) * scale)
        corners, weights = np.zeros((points, dims + 1), np.uint16), np.zeros((points, dims + 1), np.float32)
        tiles = Tiles.of(points, width)
        counts = np.zeros(len(tiles.first) - 1, np.int64)
        # Most of this array is never touched and so takes no memory.
        found = np.empty((len(counts), tiles.capacity * (dims + 1)), np.int64)
        mask = np.empty(0, np.uint8) if active is None else active.astype(np.uint8)
        simplices.locate(features, mask, scale, stride, base, tiles, threads, corners, weights, found, counts)
        starts = np.concatenate([[0], np.cumsum(counts + 1)])
        vertex = np.empty(starts[-1], np.int32)
        keys = vertices.merge(found, counts, starts, vertex)
        # In ascending order of the keys, neighbours of successive vertices are mostly successive in memory.
        ascending = np.argsort(keys)
        rank = np.zeros(len(keys) + 1, np.int32)
        rank[ascending + 1] = np.arange(1, len(keys) + 1)
        vertex = rank[vertex]
        first, order = np.zeros(len(keys) + 2, np.int32), np.empty(counts.sum(), np.int32)
        vertices.group_entries(vertex, first, order)
        neighbours = np.zeros((dims + 1, len(keys) + 1, 2), np.int32)
        if len(keys):
            vertices.link(keys[ascending], stride, neighbours)
        return cls(dims, corners, weights, tiles, starts, vertex, first, order, neighbours)

    @property
    def vertices(self) -> int:
        """Number of vertices M."""
        return int(self.neighbours.shape[1]) - 1

    def filter(self, planes: Floats, direction: Direction = "forth", *, out: Floats | None = None) -> Floats:
        """Filter every channel of contiguous planes (C, P) into (C, P), which is ``out`` if that is given.

        The filter and its transpose differ only in the order of the blurs, so that "both" splats and slices once.
        """
        from underpaint.kernels.bilateral import filter as passes
        from underpaint.kernels.vectors import empty_rows

        threads = prepare(passes.splat, purpose=PURPOSE, seconds=COMPILE_SECONDS)
        entries = empty_rows(len(self.vertex), len(planes))
        vertices, spare = (empty_rows(self.vertices + 1, len(planes)) for _ in range(2))
        passes.splat(planes, self.tiles, self.corners, self.weights, self.starts, threads, entries)
        passes.collect(entries, self.first, self.order, threads, vertices)
        backwards = vertices.copy() if direction == "both" else None
        vertices = self._blur(vertices, spare, threads, transpose=direction == "back")
        if backwards is not None:
            vertices = vertices + self._blur(backwards, np.empty_like(vertices), threads, transpose=True)
        filtered = np.empty_like(planes) if out is None else out
        places = (self.vertex, self.tiles, self.corners, self.weights, self.starts)
        passes.slice_back(vertices, *places, self.factor, threads, filtered)
        return filtered

    def _blur(self, vertices: Floats, spare: Floats, threads: int, *, transpose: bool) -> Floats:
        """Blur along every axis; both arrays are overwritten and one of them is returned."""
        from underpaint.kernels.bilateral.filter import blur

        for axis in self.axes(transpose=transpose):
            blur(vertices, self.neighbours[axis], threads, spare)
            vertices, spare = spare, vertices
        return vertices

    def axes(self, *, transpose: bool = False) -> range:
        """The order in which the axes are blurred."""
        return range(self.dimensions, -1, -1) if transpose else range(self.dimensions + 1)

    @property
    def factor(self) -> float:
        """Scale of the slicing step, ``1 / (1 + 2^-d)``, as in the authors' code."""
        return 1 / (1 + 2.0**-self.dimensions)
