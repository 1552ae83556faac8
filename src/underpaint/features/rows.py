"""The marked pixels of many images as rows for the fit of a linear model, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from underpaint.core.rng import generator
from underpaint.data.samples import TrainingImage
from underpaint.features.bank import Bank, Pixels, paired
from underpaint.features.linear import PENALTY, LinearModel, Penalty, fit_linear
from underpaint.features.pixels import DENSITY, Marks, marked_pixels

MOST_ROWS = 40_000
"""Largest number of rows. If there are more, this many are drawn. With 800 features they take 65 MB, and the fit takes
130 MB more. On MSRC-21 ``val`` 58,000 rows give the same mIoU (81.3) and take 1.5 times as long."""


@dataclass(frozen=True)
class Rows:
    """Features and candidate sets of marked pixels.

    Args:
        columns: (P, F) features in half precision.
        sets: (S, C) bool, every candidate set that occurs, each once.
        chosen: (P,) index into ``sets``.
        areas: Whether some mark has more than one pixel.
    """

    columns: npt.NDArray[np.float16]
    sets: npt.NDArray[np.bool_]
    chosen: npt.NDArray[np.intp]
    areas: bool

    def share(self, asked: float) -> float:
        """The ``share`` for `fit_linear`: 0 for clicks alone, whose number says nothing about the areas of classes."""
        return asked if self.areas else 0.0


def marked_rows(
    images: Iterable[TrainingImage], bank: Bank, classes: int, *, seed: int = 0, density: float = DENSITY
) -> Rows:
    """The rows of all marks, at most `MOST_ROWS`. If there are more, every pixel is kept with the same probability.

    The draw depends only on the seed, on the names of the images and on their order.

    Args:
        images: The images with their candidates.
        bank: Computes the features.
        classes: Number of classes C.
        seed: Seed of all draws.
        density: As in `marked_pixels`.
    """
    kept = _RowSample(classes, generator(seed, "rows"))

    def marked() -> Iterator[tuple[Pixels, Marks]]:
        for image in images:
            marks = marked_pixels(image.candidates, image.name, seed=seed, density=density)
            if len(marks.rows):
                kept.areas |= marks.areas
                yield image.rgb, marks

    with closing(paired(bank, marked())) as every:
        for marks, features in every:
            kept.add(features.columns(marks.rows, marks.columns), marks.sets[marks.chosen])
    kept.thin()
    sets, chosen = np.unique(kept.sets, axis=0, return_inverse=True)
    return Rows(kept.columns, sets, np.asarray(chosen, np.intp).ravel(), kept.areas)


class _RowSample:
    """Rows with random ranks. If there are more than `MOST_ROWS`, those with the lowest ranks are kept."""

    def __init__(self, classes: int, rng: np.random.Generator) -> None:
        self.columns = np.empty((0, 0), np.float16)
        self.sets, self.ranks = np.empty((0, classes), bool), np.empty(0)
        self.areas = False
        self._rng = rng
        self._waiting: list[tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]] = []

    def add(self, columns: npt.NDArray[np.float16], sets: npt.NDArray[np.bool_]) -> None:
        """Add the (P, F) columns and (P, C) candidate sets of an image."""
        self._waiting.append((columns, sets))
        if sum(len(sets) for _, sets in self._waiting) > MOST_ROWS:
            self.thin()

    def thin(self) -> None:
        """Join the rows that were added since the last call with the others, and keep the lowest ranks."""
        if not self._waiting:
            return
        parts = [self.columns, *(columns for columns, _ in self._waiting)]
        sets = np.concatenate([self.sets, *(sets for _, sets in self._waiting)])
        ranks = np.concatenate([self.ranks, self._rng.random(len(sets) - len(self.ranks))])
        lowest = np.sort(np.argsort(ranks, kind="stable")[:MOST_ROWS])
        self.columns, self.sets, self.ranks = _taken(parts, lowest), sets[lowest], ranks[lowest]
        self._waiting = []


def _taken(parts: Sequence[npt.NDArray[np.float16]], rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float16]:
    """The given rows of all parts, as if the parts were joined, but without joining them; ``rows`` are sorted."""
    ends = np.cumsum([len(part) for part in parts])
    cuts = np.searchsorted(rows, ends)
    own = zip(parts, np.split(rows, cuts[:-1]), ends, strict=True)
    chosen = [part[mine - (end - len(part))] for part, mine, end in own if len(mine)]
    return np.concatenate(chosen) if chosen else parts[-1][:0]


def fit_rows(rows: Rows, background: int | None, *, penalty: Penalty = PENALTY, share: float = 0.0) -> LinearModel:
    """Fit a linear model on rows with candidate sets.

    A pixel in a box has two candidates: the class of the box and the background. From zeros, both would get the same
    gradient. So a first fit gives all these pixels the class of the box, and the second fit starts from it.

    Args:
        rows: The rows.
        background: Index of the background class, or None.
        penalty: As in `fit_linear`.
        share: As in `fit_linear`, for marks that are not all clicks (`Rows.share`).
    """
    share = rows.share(share)
    objects = rows.sets.copy()
    if background is not None:
        objects[rows.sets.sum(axis=1) > 1, background] = False
    first = fit_linear(rows.columns, objects, rows.chosen, penalty=penalty, share=share)
    if np.array_equal(objects, rows.sets):
        return first
    return fit_linear(rows.columns, rows.sets, rows.chosen, penalty=penalty, share=share, start=first)
