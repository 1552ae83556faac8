"""The permutohedral lattice: an approximate Gaussian filter over points in d dimensions, linear in their number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.jit import prepare
from underpaint.kernels.permutohedral_tiles import Tiles

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

PURPOSE = "permutohedral lattices"
COMPILE_SECONDS = 20

MOST_DIMENSIONS = 6
"""The corners of a tile, at most 8192 (d + 1), are numbered with 16 bits; position and colour have 5 dimensions."""


@dataclass(frozen=True)
class Lattice:
    """Where P points lie in a lattice of M vertices; built once, then used for any number of filters.

    ``filter`` approximates ``sum_j exp(-|f_i - f_j|² / 2) v_j``, the own point included, up to a scale of about 0.4 to
    0.6 that depends on the points; divide by the filter of ones for an average. It is linear; its exact transpose
    blurs along the axes in reverse order.

    paper: Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", Eurographics 2010.
    """

    dimensions: int
    corners: NDArray[np.uint16]  # (P, d + 1) entry of the own tile for each corner of the simplex
    weights: Floats  # (P, d + 1) barycentric weights
    tiles: Tiles  # order of the points
    starts: Longs  # (tiles + 1,) first entry of each tile
    vertex: Ints  # (entries,) vertex of each entry, 0 for null
    first: Ints  # (M + 2,) first position in `order` for each vertex
    order: Ints  # (entries with a vertex,) entries sorted by vertex
    neighbours: Ints  # (d + 1, M + 1, 2)

    @classmethod
    def build(cls, features: Floats, *, active: NDArray[np.bool_] | None = None) -> Lattice:
        """Embed points that have been divided by the standard deviations wanted.

        Args:
            features: (P, d) float32, finite.
            active: (P,) points that exist; the others touch no vertex, send nothing and receive 0. None: all.

        Raises:
            DataError: not (P, d), or not finite.
            ConfigError: more than 6 dimensions, or standard deviations so small that there are over 2^62 cells.
        """
        if features.ndim != 2 or features.size == 0:
            raise DataError(f"features are {features.shape}", accepted="(P, d), not empty")
        return cls.from_planes(np.ascontiguousarray(features.T, dtype=np.float32), active)

    @classmethod
    def from_planes(
        cls, features: Floats, active: NDArray[np.bool_] | None = None, *, width: int | None = None
    ) -> Lattice:
        """As `build`, from one contiguous row per dimension (d, P), where known of an image ``width`` pixels wide."""
        from underpaint.kernels import permutohedral_build as build  # numba starts slowly, and few commands need it

        threads = prepare(build.locate, purpose=PURPOSE, seconds=COMPILE_SECONDS)
        dims, points = features.shape
        if dims > MOST_DIMENSIONS:
            raise ConfigError(f"the points have {dims} dimensions", accepted=f"1 to {MOST_DIMENSIONS}")
        scale = elevation_scale(dims)
        stride, base = packing(features.min(axis=1) * scale, features.max(axis=1) * scale)
        corners, weights = np.zeros((points, dims + 1), build.CORNER), np.zeros((points, dims + 1), np.float32)
        tiles = Tiles.of(points, width)
        counts = np.zeros(len(tiles.first) - 1, np.int64)
        found = np.empty((len(counts), tiles.capacity * (dims + 1)), np.int64)  # mostly never touched, so not in memory
        mask = np.empty(0, np.uint8) if active is None else active.astype(np.uint8)
        build.locate(features, mask, scale, stride, base, tiles, threads, corners, weights, found, counts)
        starts = np.concatenate([[0], np.cumsum(counts + 1)])
        vertex = np.empty(starts[-1], np.int32)
        keys = build.merge(found, counts, starts, vertex)
        # In ascending order of the keys, the neighbours of successive vertices are successive: blurring streams.
        ascending = np.argsort(keys)
        rank = np.zeros(len(keys) + 1, np.int32)
        rank[ascending + 1] = np.arange(1, len(keys) + 1)
        vertex = rank[vertex]
        first, order = np.zeros(len(keys) + 2, np.int32), np.empty(counts.sum(), np.int32)
        build.group_entries(vertex, first, order)
        neighbours = np.zeros((dims + 1, len(keys) + 1, 2), np.int32)
        if len(keys):
            build.link(keys[ascending], stride, neighbours)
        return cls(dims, corners, weights, tiles, starts, vertex, first, order, neighbours)

    @property
    def vertices(self) -> int:
        """Number of vertices M."""
        return int(self.neighbours.shape[1]) - 1

    def filter(self, values: Floats, *, transpose: bool = False) -> Floats:
        """Filter every channel of ``values`` (P, C); returns (P, C) float32.

        Args:
            values: One row a point.
            transpose: Apply the transposed map instead, as a gradient needs it.

        Raises:
            DataError: another number of points than the lattice was built for.
        """
        if values.ndim != 2 or len(values) != len(self.corners):
            raise DataError(f"values are {values.shape}", accepted=f"({len(self.corners)}, C)")
        planes = np.ascontiguousarray(values.T, dtype=np.float32)
        return np.ascontiguousarray(self.filter_planes(planes, transpose=transpose).T)

    def filter_planes(
        self, planes: Floats, *, transpose: bool = False, both: bool = False, out: Floats | None = None
    ) -> Floats:
        """As `filter`, from and to contiguous (C, P); ``out`` receives the result where given.

        ``both`` gives the sum of the map and its transpose, which differ in the order of the blurs alone: one splat and
        one slice serve both.
        """
        from underpaint.kernels import permutohedral_filter as passes
        from underpaint.kernels.rows import empty_rows

        threads = prepare(passes.splat, purpose=PURPOSE, seconds=COMPILE_SECONDS)
        entries = empty_rows(len(self.vertex), len(planes))
        vertices, spare = (empty_rows(self.vertices + 1, len(planes)) for _ in range(2))
        passes.splat(planes, self.tiles, self.corners, self.weights, self.starts, threads, entries)
        passes.collect(entries, self.first, self.order, threads, vertices)
        backwards = vertices.copy() if both else None
        vertices = self._blur(vertices, spare, threads, transpose=transpose)
        if backwards is not None:
            vertices = vertices + self._blur(backwards, np.empty_like(vertices), threads, transpose=not transpose)
        filtered = np.empty_like(planes) if out is None else out
        gather = (self.vertex, self.tiles, self.corners, self.weights, self.starts, self.factor, threads)
        passes.slice_back(vertices, *gather, filtered)
        return filtered

    def _blur(self, vertices: Floats, spare: Floats, threads: int, *, transpose: bool) -> Floats:
        """Blur along every axis; both arrays are overwritten and one of them returned."""
        from underpaint.kernels.permutohedral_filter import blur

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


def elevation_scale(dims: int) -> Floats:
    """Factor of each feature that makes the blur's standard deviation one: (d,)."""
    index = np.arange(dims)
    return np.asarray(math.sqrt(2 / 3) * (dims + 1) / np.sqrt((index + 1) * (index + 2)), dtype=np.float32)


def packing(lowest: Floats, highest: Floats) -> tuple[Longs, int]:
    """Strides (d + 1,) and base that pack the first d coordinates of any vertex near the points into one integer.

    Args:
        lowest: (d,) smallest scaled feature of any point.
        highest: (d,) largest.

    Raises:
        DataError: not finite.
        ConfigError: more than 2^62 cells.
    """
    dims, low, high = len(lowest), lowest.astype(np.float64), highest.astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise DataError("the features of the lattice are not finite", fix="look for NaN in the image")
    margin = 3 * (dims + 1)  # the simplex is within d + 1 of its point, a neighbour within d of a vertex
    stride, base, cells = np.zeros(dims + 1, np.int64), 0, 1
    for j in range(dims):
        reach = low[j:].sum() - (j * high[j - 1] if j else 0), high[j:].sum() - (j * low[j - 1] if j else 0)
        least, most = math.floor(reach[0]) - margin, math.ceil(reach[1]) + margin
        stride[j], base = cells, base - cells * least
        cells *= most - least + 1
        if cells > 2**62:
            raise ConfigError("the lattice has more than 2^62 cells", fix="use larger standard deviations")
    return stride, base
