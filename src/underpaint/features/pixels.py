"""Which of an image's marked pixels a linear model is fitted on: a closed rule, the same for the same hints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from underpaint.core.rng import generator
from underpaint.hints.candidates import Candidates

DENSITY = 2.0
"""A connected mark of n pixels gives ``DENSITY * sqrt(n)`` of them: a click its one, a stroke of 300 pixels 35, a
filled area of 20,000 pixels 283. Neighbours say nearly the same, so that more pixels cost time and add little."""


@dataclass(frozen=True)
class Marks:
    """Pixels of an image on which a person's hints say something.

    Args:
        rows, columns: (P,) of the pixels.
        chosen: (P,) index into ``sets``.
        sets: (S, C) bool, the image's candidate sets.
    """

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    chosen: npt.NDArray[np.intp]
    sets: npt.NDArray[np.bool_]


def marked_pixels(candidates: Candidates, image: str, *, seed: int = 0, density: float = DENSITY) -> Marks:
    """Draw pixels from every connected mark of an image, by seed and name alone.

    Pixels of which only the image's tags speak (set 0) are no marks.

    Args:
        candidates: Of the whole image at its own size.
        image: Its name, from which the draw is derived.
        seed: Of the draw.
        density: See `DENSITY`.
    """
    rng = generator(seed, "marks", image)
    drawn = [np.empty(0, np.intp)]
    for number in np.unique(candidates.index):
        if number:
            drawn += _from_parts(candidates.index == number, rng, density)
    flat = np.concatenate(drawn)
    rows, columns = np.unravel_index(flat, candidates.index.shape)
    return Marks(rows, columns, candidates.index.ravel()[flat].astype(np.intp), candidates.sets)


def _from_parts(mark: npt.NDArray[np.bool_], rng: np.random.Generator, density: float) -> list[npt.NDArray[np.intp]]:
    """Indices into the flattened image, from every part that touches no other, also at corners."""
    parts, count = ndimage.label(mark, structure=np.ones((3, 3), int))
    inside = np.flatnonzero(mark)
    numbers = parts.ravel()[inside]
    ordered = inside[np.argsort(numbers, kind="stable")]
    ends = np.cumsum(np.bincount(numbers, minlength=count + 1))
    drawn = []
    for start, end in pairwise(ends):
        wanted = min(end - start, math.ceil(density * math.sqrt(end - start)))
        drawn.append(ordered[start + np.sort(rng.choice(end - start, wanted, replace=False))])
    return drawn
