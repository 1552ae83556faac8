"""Where a linear model is most uncertain in an image, away from the marks: the place for the next hint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

SPREAD = 1 / 30
"""Standard deviation of the smoothing, as a share of the longer side: one uncertain pixel is no place to ask about."""

CLEAR = 5
"""Cells around a mark in which no further hint is asked for."""


@dataclass(frozen=True)
class Spot:
    """A place in an image.

    Args:
        x, y: From the left and from the top, as shares of the image's width and height.
        uncertainty: Smoothed entropy of the model there, in bits; 0 where no model was asked.
        guess: Index of the class that the model holds for the most probable there; None where no model was asked.
        other: Index of the second most probable class; None where the model knows one class alone there.
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
        bits: (h, w) smoothed entropy, 0 near marks.
        probabilities: (K, h, w) of the classes that were asked about.
        classes: (K,) their indices.
        free: (h, w) bool, cells that are not near a mark.
        extent: (height, width) of the image in cells; the last cells may lie partly outside it.
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
        """The uncertainty of a linear model.

        Args:
            scores: (C, h, w) on a grid that covers the padded image.
            classes: (K,) indices of the classes that the image may show.
            padded: (height, width) of the padded image in pixels.
            seen: (height, width) of the image in pixels.
            marked: (height, width) bool, pixels that are marked; None where none are.
        """
        grid = (scores.shape[1], scores.shape[2])
        extent = (seen[0] * grid[0] / padded[0], seen[1] * grid[1] / padded[1])
        rows, columns = (max(1, int(np.ceil(side - 1e-9))) for side in extent)
        held = scores[torch.from_numpy(classes), :rows, :columns].softmax(0).numpy()
        bits = -np.sum(held * np.log2(np.maximum(held, 1e-12)), axis=0)
        smooth = ndimage.gaussian_filter(bits, max(rows, columns) * SPREAD, mode="nearest")
        free = np.ones((rows, columns), bool)
        if marked is not None and marked.any():
            cells = np.ones((rows, columns), bool)
            at = np.argwhere(marked)
            cells[at[:, 0] * grid[0] // padded[0], at[:, 1] * grid[1] // padded[1]] = False
            free = ndimage.distance_transform_edt(cells) > CLEAR
        return cls((smooth * free).astype(np.float32), held, classes, free, extent)

    def best(self) -> Spot | None:
        """Where the uncertainty is greatest, the first of equals; None where there is none."""
        row, column = np.unravel_index(int(self.bits.argmax()), self.bits.shape)
        return self._spot(int(row), int(column)) if self.bits[row, column] > 0 else None

    def at_random(self, rng: np.random.Generator) -> Spot | None:
        """A cell that is not near a mark, each as likely; None where there is none."""
        places = np.argwhere(self.free)
        return self._spot(*map(int, places[rng.integers(len(places))])) if len(places) else None

    def _spot(self, row: int, column: int) -> Spot:
        order = self.classes[np.argsort(-self.probabilities[:, row, column], kind="stable")]
        x, y = (column + 0.5) / self.extent[1], (row + 0.5) / self.extent[0]
        other = int(order[1]) if len(order) > 1 else None
        return Spot(min(x, 1.0), min(y, 1.0), float(self.bits[row, column]), int(order[0]), other)
