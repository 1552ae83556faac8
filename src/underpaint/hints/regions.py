"""Connected regions of a mask with their outlines, found in bands of rows, so that the mask need not fit in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from underpaint.hints.outline import corners, loops
from underpaint.hints.types import Point, Polygon
from underpaint.imagefiles.mapped import Mapped
from underpaint.imagefiles.readers.base import library

Labels = NDArray[np.uint8]
Numbers = NDArray[np.int32]
Ring = NDArray[np.int64] | NDArray[np.float64]
"""(N, 2) x and y of the corners of a closed ring."""

BAND = 256
"""Number of rows of a mask that are processed together."""


@dataclass(frozen=True)
class Region:
    """A connected region of one class. Pixels that touch at a side or at a corner belong to one region.

    Args:
        label: Index of the class.
        pixels: Number of pixels, including those of filled holes.
        parts: The rings of each part whose pixels touch at sides: the outer ring, then those of the holes. Empty if no
            outlines were requested.
    """

    label: int
    pixels: int
    parts: tuple[tuple[Ring, ...], ...] = ()

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom, half open."""
        outer = np.concatenate([part[0] for part in self.parts])
        (left, top), (right, bottom) = np.floor(outer.min(0)).astype(int), np.ceil(outer.max(0)).astype(int)
        return int(left), int(top), int(right), int(bottom)

    def simplified(self, tolerance: float) -> Region:
        """Return the region with rings of fewer points, at most ``tolerance`` pixels away (Douglas, Peucker, 1973)."""
        shapely = library("shapely", "geo", Path("polygons"), "a simplified polygon")
        parts = []
        for rings in self.parts:
            simple = shapely.Polygon(rings[0], rings[1:]).simplify(tolerance)
            parts.append(tuple(np.asarray(ring.coords)[:-1] for ring in (simple.exterior, *simple.interiors)))
        return replace(self, parts=tuple(parts))

    def polygons(self, name: str) -> tuple[Polygon, ...]:
        """Return one polygon for each part."""
        return tuple(Polygon(name, _points(rings[0]), tuple(map(_points, rings[1:]))) for rings in self.parts)


def _points(ring: Ring) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in ring.tolist())


def bands(labels: Labels | Mapped) -> Iterator[Labels]:
    """Yield a mask (H, W) in bands of `BAND` rows."""
    for top in range(0, labels.shape[0], BAND):
        yield labels[top : top + BAND]


def regions(
    parts: Iterable[Labels],
    wanted: Iterable[int],
    *,
    outlined: Iterable[int] = (),
    least: int = 1,
    fill: int = 0,
    simplify: float = 0.0,
) -> Iterator[Region]:
    """Yield the connected regions of a mask, each as soon as it is complete.

    The memory holds one band and the corners of the regions that continue below it.

    Args:
        parts: Bands of the mask from top to bottom, each (h, W) uint8 class indices.
        wanted: The classes whose regions are returned.
        outlined: The classes among them whose regions get outlines.
        least: Regions of fewer pixels are left out.
        fill: Holes of at most this number of pixels are filled in regions with outlines, except if the hole contains
            another part of the region that touches it at a corner.
        simplify: Largest distance in pixels of simplified outlines from the exact ones; 0 gives the exact outlines.
            Simplified outlines may touch each other.

    Raises:
        DataError: Simplified outlines are requested, but the extra ``geo`` is not installed.
    """
    outlined = frozenset(outlined)
    tracers = [_Tracer(label, outlined=label in outlined, fill=fill) for label in sorted({*wanted})]
    complete = (region for part in parts for tracer in tracers for region in tracer.add(part))
    for region in chain(complete, (region for tracer in tracers for region in tracer.end())):
        if region.pixels >= least:
            yield region.simplified(simplify) if simplify and region.parts else region


class _Union:
    """Disjoint sets of numbers; the smallest number of a set represents it."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def root(self, number: int) -> int:
        top = number
        while (above := self._above.get(top, top)) != top:
            top = above
        while number != top:
            self._above[number], number = top, self._above.get(number, number)
        return top

    def join(self, one: int, other: int) -> tuple[int, int]:
        """Join two sets. Return the number that represents both, and the one that no longer represents a set."""
        low, high = sorted((self.root(one), self.root(other)))
        if low != high:
            self._above[high] = low
        return low, high

    def forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._above.pop(number, None)


@dataclass
class _Open:
    """A region that may continue in the next rows: its pixels, the numbers of its parts, and its corners."""

    pixels: int = 0
    numbers: list[int] = field(default_factory=list)
    corners: list[NDArray[np.int32]] = field(default_factory=list)

    def add(self, other: _Open) -> None:
        self.pixels += other.pixels
        self.numbers += other.numbers
        self.corners += other.corners


class _Tracer:
    """Finds the regions of one class. Each part of a band whose pixels touch at sides has its own number."""

    def __init__(self, label: int, *, outlined: bool, fill: int) -> None:
        self._label, self._outlined, self._fill = label, outlined, fill
        self._top, self._next = 0, 1
        self._above: Numbers | None = None  # numbers of the pixels of the last row, 0 outside
        self._sides, self._corners = _Union(), _Union()
        self._open: dict[int, _Open] = {}

    def add(self, band: Labels) -> Iterator[Region]:
        """Add the next rows, and yield the regions that end above the last of them."""
        inside = band == self._label
        if not self._open and not inside.any():
            self._above, self._top = np.zeros(band.shape[1], np.int32), self._top + len(band)
            return
        numbers, count = ndimage.label(inside, output=np.int32)
        above = np.zeros(band.shape[1], np.int32) if self._above is None else self._above
        pixels = np.bincount(numbers.ravel(), minlength=count + 1).tolist()
        numbers = np.where(inside, numbers + np.int32(self._next - 1), np.int32(0))
        for number in range(self._next, self._next + count):
            self._open[number] = _Open(pixels[number - self._next + 1], [number])
        self._next += count
        last = numbers[-1].copy()
        self._trace(np.concatenate([above[None], numbers]))
        self._above, self._top = last, self._top + len(band)
        yield from self._ended(frozenset(map(self._corners.root, np.unique(last[last > 0]).tolist())))

    def end(self) -> Iterator[Region]:
        """Yield the regions that reach the last row."""
        if self._above is not None and self._open:
            self._trace(np.stack([self._above, np.zeros_like(self._above)]))
        yield from self._ended(frozenset())

    def _trace(self, numbers: Numbers) -> None:
        """Join the parts that touch in these rows, and store their corners. The first row is the last one of before."""
        first, second = numbers[0], numbers[1]
        for one, other in _touching(first, second):
            self._sides.join(one, other)
            self._join(one, other)
        padded = np.pad(numbers, ((0, 0), (1, 1)))
        upper_left, upper_right = padded[:-1, :-1], padded[:-1, 1:]
        lower_left, lower_right = padded[1:, :-1], padded[1:, 1:]
        for one, other in (*_touching(upper_left, lower_right), *_touching(upper_right, lower_left)):
            self._join(one, other)
        if self._outlined:
            self._keep(padded)

    def _keep(self, padded: Numbers) -> None:
        row, column, side, rank = corners(padded > 0)
        if not len(row):
            return
        left = np.where(padded[row - 1, column - 1] > 0, padded[row - 1, column - 1], padded[row, column - 1])
        right = np.where(padded[row - 1, column] > 0, padded[row - 1, column], padded[row, column])
        number = np.where((side == 0) & (left > 0), left, right)
        # The first row is the last one of the band above, and column 1 of the padded rows is column 0 of the mask.
        found = np.stack([number, row - 1 + self._top, column - 1, side, rank]).astype(np.int32)
        order = np.argsort(number, kind="stable")
        found, number = found[:, order], number[order]
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        for part, its_corners in zip(number[starts].tolist(), np.split(found, starts[1:], axis=1), strict=True):
            self._open[self._corners.root(part)].corners.append(its_corners)

    def _join(self, one: int, other: int) -> None:
        low, high = self._corners.join(one, other)
        if low != high:
            self._open[low].add(self._open.pop(high))

    def _ended(self, continuing: frozenset[int]) -> Iterator[Region]:
        for number in sorted(self._open.keys() - continuing):
            region = self._open.pop(number)
            yield self._outlines(region) if self._outlined else Region(self._label, region.pixels)
            self._corners.forget(region.numbers)
            self._sides.forget(region.numbers)

    def _outlines(self, region: _Open) -> Region:
        number, y, x, side, rank = np.concatenate(region.corners, axis=1)
        names, inverse = np.unique(number, return_inverse=True)
        part = np.array([self._sides.root(int(name)) for name in names])[inverse]
        order = np.lexsort((side, x, y, part))
        part, y, x, rank = part[order], y[order], x[order], rank[order]
        starts = np.flatnonzero(np.diff(part, prepend=-1))
        traced = [
            [np.array(loop, np.int64) for loop in loops(*of_part)]
            for of_part in zip(*(np.split(values, starts[1:]) for values in (y, x, rank)), strict=True)
        ]
        pixels, parts = region.pixels, []
        for rings in traced:
            kept = [rings[0]]  # the first corner of a part belongs to its outer ring
            for hole in rings[1:]:
                size = _area(hole)
                if size <= self._fill and not any(_within(other[0], hole) for other in traced if other is not rings):
                    pixels += size
                else:
                    kept.append(hole)
            parts.append(tuple(kept))
        return Region(self._label, pixels, tuple(parts))


def _touching(one: Numbers, other: Numbers) -> list[tuple[int, int]]:
    """Return the pairs of different numbers at the same positions of two arrays, without the number 0."""
    both = (one > 0) & (other > 0) & (one != other)
    return [(int(a), int(b)) for a, b in np.unique(np.stack([one[both], other[both]], axis=1), axis=0)]


def _area(ring: Ring) -> int:
    """Return the number of pixels inside a ring, by the shoelace formula."""
    x, y = ring.T
    return abs(int(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) // 2


def _within(one: Ring, other: Ring) -> bool:
    """Whether the rectangle around a ring is inside the rectangle around another."""
    return bool((one.min(0) >= other.min(0)).all() and (one.max(0) <= other.max(0)).all())
