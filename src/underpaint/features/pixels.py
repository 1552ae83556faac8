"""Selection of the marked pixels on which a linear model is fitted. The same hints always give the same pixels."""

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
"""From a connected mark of n pixels, ``DENSITY * sqrt(n)`` are selected: 1 from a click, 35 from a stroke of 300
pixels, 283 from an area of 20,000 pixels. Neighbouring pixels have nearly the same features, so that more pixels take
time and add little."""


@dataclass(frozen=True)
class Marks:
    """The selected pixels of an image and their candidate classes.

    Args:
        rows, columns: (P,) positions of the pixels.
        chosen: (P,) index into ``sets``.
        sets: (S, C) bool, the candidate sets of the image.
        areas: Whether a mark has more than one pixel, as all but clicks have.
    """

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    chosen: npt.NDArray[np.intp]
    sets: npt.NDArray[np.bool_]
    areas: bool


def marked_pixels(candidates: Candidates, image: str, *, seed: int = 0, density: float = DENSITY) -> Marks:
    """Draw pixels at random from every connected mark of an image.

    The draw depends only on the seed and on the name of the image. Pixels about which only the tags of the image say
    something (set 0) are not marks.

    Args:
        candidates: The candidates of the whole image at its original size.
        image: Name of the image.
        seed: Seed of the draw.
        density: As `DENSITY`.
    """
    rng = generator(seed, "marks", image)
    drawn = [np.empty(0, np.intp)]
    for number in np.unique(candidates.index):
        if number:
            drawn += _from_parts(candidates.index == number, rng, density)
    marks = len(drawn) - 1
    flat = np.concatenate(drawn)
    rows, columns = np.unravel_index(flat, candidates.index.shape)
    chosen = candidates.index.ravel()[flat].astype(np.intp)
    return Marks(rows, columns, chosen, candidates.sets, bool(np.count_nonzero(candidates.index) > marks))


def _from_parts(mark: npt.NDArray[np.bool_], rng: np.random.Generator, density: float) -> list[npt.NDArray[np.intp]]:
    """Indices into the flattened image, drawn from every connected part (with 8 neighbours)."""
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
