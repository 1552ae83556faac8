"""The place in an image where a linear model is most uncertain and no mark is near: the place for the next hint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

SPREAD = 1 / 30
"""Standard deviation of the smoothing, as a share of the longer side. A single uncertain pixel is no useful place."""

DISTANCE_TO_MARKS = 5
"""Smallest distance, in cells, between a mark and the place for the next hint."""


@dataclass(frozen=True)
class Spot:
    """A place in an image.

    Args:
        x, y: Distance from the left and from the top, as shares of the width and height of the image.
        uncertainty: Smoothed entropy of the model at this place, in bits; 0 if there is no model.
        guess: Index of the most probable class at this place; None if there is no model.
        other: Index of the second most probable class; None if the model has only one class.
    """

    x: float
    y: float
    uncertainty: float
    guess: int | None = None
    other: int | None = None


@dataclass(frozen=True)
class Uncertainty:
    """The uncertainty of a model in an image, on a grid of cells.

    Args:
        bits: (h, w) smoothed entropy; 0 near marks.
        probabilities: (K, h, w) probabilities of the classes that the image may show.
        classes: (K,) indices of these classes.
        free: (h, w) bool, True for cells that are not near a mark.
        extent: Height and width of the image in cells. The last cells may lie partly outside the image.
    """

    bits: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    classes: npt.NDArray[np.intp]
    free: npt.NDArray[np.bool_]
    extent: tuple[float, float]

    @classmethod
    def of(
        cls,
        scores: Tensor,
        classes: npt.NDArray[np.intp],
        *,
        padded: tuple[int, int],
        seen: tuple[int, int],
        marked: npt.NDArray[np.bool_] | None,
    ) -> Uncertainty:
        """Compute the uncertainty of a linear model from its scores.

        Args:
            scores: (C, h, w) on a grid that covers the padded image.
            classes: (K,) indices of the classes that the image may show.
            padded: Height and width of the padded image in pixels.
            seen: Height and width of the image in pixels.
            marked: (height, width) bool, True for marked pixels; None if no pixel is marked.
        """
        grid = (scores.shape[1], scores.shape[2])
        extent = (seen[0] * grid[0] / padded[0], seen[1] * grid[1] / padded[1])
        rows, columns = (max(1, int(np.ceil(side - 1e-9))) for side in extent)
        shares = scores[torch.from_numpy(classes), :rows, :columns].softmax(0).numpy()
        bits = -np.sum(shares * np.log2(np.maximum(shares, 1e-12)), axis=0)
        smooth = ndimage.gaussian_filter(bits, max(rows, columns) * SPREAD, mode="nearest")
        free = np.ones((rows, columns), bool)
        if marked is not None and marked.any():
            cells = np.ones((rows, columns), bool)
            at = np.argwhere(marked)
            cells[at[:, 0] * grid[0] // padded[0], at[:, 1] * grid[1] // padded[1]] = False
            free = ndimage.distance_transform_edt(cells) > DISTANCE_TO_MARKS
        return cls((smooth * free).astype(np.float32), shares, classes, free, extent)

    def best(self) -> Spot | None:
        """The place of the greatest uncertainty (the first if several are equal), or None if it is 0 everywhere."""
        row, column = np.unravel_index(int(self.bits.argmax()), self.bits.shape)
        return self._spot(int(row), int(column)) if self.bits[row, column] > 0 else None

    def at_random(self, rng: np.random.Generator) -> Spot | None:
        """A random cell that is not near a mark, each with the same probability; None if there is no such cell."""
        places = np.argwhere(self.free)
        return self._spot(*map(int, places[rng.integers(len(places))])) if len(places) else None

    def _spot(self, row: int, column: int) -> Spot:
        order = self.classes[np.argsort(-self.probabilities[:, row, column], kind="stable")]
        x, y = (column + 0.5) / self.extent[1], (row + 0.5) / self.extent[0]
        other = int(order[1]) if len(order) > 1 else None
        return Spot(min(x, 1.0), min(y, 1.0), float(self.bits[row, column]), int(order[0]), other)
