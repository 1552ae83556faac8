"""Simulates a stroke like one that a person draws: smooth, along the middle of a region, away from its border.

A stroke is the cheapest path between two random points. Steps cost more near the border, near earlier strokes, and in
patches of a random field, which bend the path. The path is then smoothed like a movement of the hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import MCP_Geometric

from underpaint.hints.rasterise import Pixels, stroke_pixels
from underpaint.simulate.regions import Flags, Region

Line = NDArray[np.float64]
Field = NDArray[np.float64]

PEN = 3.0
"""Pen width in pixels, with which the literature draws the lines of ScribbleSup (Tang et al., 2018)."""

FINE_PEN = 1.0
"""Pen width in pixels for regions that are too thin for `PEN`, such as poles: it labels only the pixels of the line."""

CLEARANCE = 2.5
"""Least distance in pixels of a line from the border with `PEN`. All pixels within 1.5 of such a line are inside."""

MARGIN = 0.15
"""Least distance of strokes from the border, as a share of the region's greatest depth, if there is room. In four
images of ScribbleSup the 5 % quantile of this share over the stroke pixels is 0.02 to 0.18, the median 0.25 to 0.58."""

GRID = 96
"""Number of cells on the longer side of the grid for finding paths; after smoothing, a finer grid makes no difference.
"""

BEND = 0.06
"""Size of the patches of the random field, as a share of the region's longer side; it is about the width of bends."""

HAND = 0.08
"""Standard deviation of the smoothing along a line, as a share of its length; it hides the eight grid directions."""

SPACING = 6.0
"""Pixels between the vertices of a finished line."""


class Sketch:
    """A region with the strokes drawn on it so far.

    Args:
        region: The region; lines are in pixels of its image.
        rng: Random generator.
    """

    def __init__(self, region: Region, rng: np.random.Generator) -> None:
        depth = region.depth()
        deepest = float(depth.max())
        self.pen = PEN if deepest >= CLEARANCE else FINE_PEN
        self.drawn: Flags = np.zeros_like(region.inside)
        self.region = region
        self._rng = rng
        least = max(CLEARANCE, MARGIN * deepest) if self.pen == PEN else 1.0
        self._step = max(1, -(-max(depth.shape) // GRID)) if self.pen == PEN else 1
        self._depth = _pool(depth, self._step, outside=0)
        if self._depth.max() < least:
            self._step, self._depth = 1, depth
        self._free = self._depth >= least

    def labelled(self) -> int:
        """Number of pixels that the strokes label."""
        return int(self.drawn.sum())

    def paint(self, drawn: Flags) -> None:
        """Mark the labelled pixels in a map of the whole image."""
        height, width = self.drawn.shape
        top, left = self.region.row, self.region.column
        drawn[top : top + height, left : left + width] |= self.drawn

    def dot(self) -> Line:
        """Draw a dot on the deepest pixel, if no line fits. Returns (1, 2) x and y."""
        row, column = np.unravel_index(int(self.region.depth().argmax()), self.drawn.shape)
        line = np.array([[self.region.column + column + 0.5, self.region.row + row + 0.5]])
        self._ink(line)
        return line

    def stroke(self, length: float) -> Line | None:
        """Draw a stroke of about ``length`` pixels, or as long as the region allows.

        Returns:
            (P, 2) x and y in pixels, or None if the region is full or this attempt found no new pixels.
        """
        fresh = self._fresh()
        weight = np.where(self._free, self._depth * fresh, 0.0)
        if not weight.any():
            return None
        cells = self._path(self._pick(weight), length, weight, fresh)
        for line in _smoother(cells * self._step + self._step / 2, coarse=self._step > 1):
            placed: Line = _cut(line, length) + np.array([self.region.column, self.region.row])
            if self._ink(placed):
                return placed
        return None

    def _fresh(self) -> Field:
        """(h, w) weights on the grid, from 0 on earlier strokes to 1 at a distance of half the greatest depth."""
        if not self.drawn.any():
            return np.ones_like(self._depth)
        blank = _pool(~self.drawn, self._step, outside=True)
        distance = ndimage.distance_transform_edt(blank) * self._step
        reach = max(2 * PEN, 0.5 * float(self._depth.max()))
        fresh: Field = np.where(distance > self.pen, 1 - np.exp(-((distance / reach) ** 2)), 0.0)
        return fresh

    def _pick(self, weight: Field) -> tuple[int, int]:
        """Draw a cell with a probability in proportion to its weight."""
        cells = np.flatnonzero(weight)
        cumulative = np.cumsum(weight.ravel()[cells])
        place = int(np.searchsorted(cumulative, self._rng.random() * cumulative[-1], side="right"))
        row, column = np.unravel_index(cells[min(place, len(cells) - 1)], weight.shape)
        return int(row), int(column)

    def _path(self, start: tuple[int, int], length: float, weight: Field, fresh: Field) -> Line:
        """(P, 2) x and y in cells, from ``start`` to a point about ``length`` pixels away."""
        parts, _ = ndimage.label(weight > 0, structure=np.ones((3, 3)))
        reachable = parts == parts[start]
        away = np.hypot(*np.indices(weight.shape) - np.reshape(start, (2, 1, 1))) * self._step
        near = min(0.6 * length, 0.8 * float(away[reachable].max()))
        # A ring that is two grid steps wide contains a cell in every direction in which the region continues.
        ring = (away >= near) & (away <= max(length, near + 2 * self._step))
        end = self._pick(np.where(reachable & ring, weight, 0.0))
        finder = MCP_Geometric(self._cost(reachable, fresh))
        finder.find_costs([start], [end])
        return np.array(finder.traceback(end), dtype=np.float64)[:, ::-1]

    def _cost(self, reachable: Flags, fresh: Field) -> Field:
        noise = ndimage.gaussian_filter(self._rng.standard_normal(fresh.shape), BEND * GRID)
        noise = (noise - noise.mean()) / max(float(noise.std()), 1e-9)
        shallow = 1 / (self._depth / self._depth.max() + 0.1)
        cost: Field = np.where(reachable, shallow * np.exp(noise) * (5 - 4 * fresh), np.inf)
        return cost

    def _ink(self, line: Line) -> bool:
        """Draw the line if all its pixels lie in the region, and some are new."""
        if line.min() <= self.pen / 2 - 0.5:  # it labels a pixel before the image's first row or column
            return False
        rows, columns = self._pixels(line)
        height, width = self.drawn.shape
        if rows.min() < 0 or columns.min() < 0 or rows.max() >= height or columns.max() >= width:
            return False
        if not self.region.inside[rows, columns].all() or self.drawn[rows, columns].all():
            return False
        self.drawn[rows, columns] = True
        return True

    def _pixels(self, line: Line) -> tuple[Pixels, Pixels]:
        """Rows and columns within the region's box; pixels outside the box have numbers outside it.

        The line is rasterised in the coordinates of the image, as in a training. In other coordinates the rounding of
        numbers such as 50.3 may change a pixel whose centre is exactly half a pen width away.
        """
        row, column = self.region.row, self.region.column
        height, width = self.drawn.shape
        margin = int(PEN)  # so that a line that leaves the box is noticed
        rows, columns = stroke_pixels(line, self.pen, (row + height + margin, column + width + margin))
        return rows - row, columns - column


def _pool(field: NDArray[Any], step: int, *, outside: float) -> NDArray[Any]:
    """The minimum of each block of ``step`` x ``step`` pixels; beyond the field the value is ``outside``."""
    if step == 1:
        return field
    height, width = (-(-side // step) for side in field.shape)
    padded = np.full((height * step, width * step), outside, field.dtype)
    padded[: field.shape[0], : field.shape[1]] = field
    least: NDArray[Any] = padded.reshape(height, step, width, step).min(axis=(1, 3))
    return least


def _smoother(path: Line, *, coarse: bool) -> Iterator[Line]:
    """The path with strong smoothing, then with weaker smoothing, at last without smoothing."""
    for share in (HAND, HAND / 3):
        # The steps of the path are about equal, so that its number of points is proportional to its length.
        smooth = ndimage.gaussian_filter1d(path, share * len(path), axis=0, mode="nearest")
        yield np.round(_resample(smooth), 1)
    yield path if coarse else _corners(path)


def _resample(line: Line) -> Line:
    """Vertices `SPACING` pixels apart along the line, the ends kept."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    places = np.linspace(0, along[-1], max(2, int(np.ceil(along[-1] / SPACING)) + 1))
    return np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)


def _corners(path: Line) -> Line:
    """The path without the vertices at which its direction does not change."""
    if len(path) < 3:
        return path
    steps = np.diff(path, axis=0)
    turns = (steps[1:] != steps[:-1]).any(axis=1)
    kept: Line = path[np.concatenate([[True], turns, [True]])]
    return kept


def _cut(line: Line, length: float) -> Line:
    """The first ``length`` pixels of a line."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    if along[-1] <= length:
        return line
    kept = line[along < length]
    end = [np.interp(length, along, line[:, axis]) for axis in (0, 1)]
    return np.concatenate([kept, np.round([end], 1)])
