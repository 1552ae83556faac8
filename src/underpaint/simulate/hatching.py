"""Hatches regions that smooth strokes cannot fill: rows as wide as the pen, then rows of one pixel at the border."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from underpaint.hints.types import Point
from underpaint.simulate.regions import Flags
from underpaint.simulate.strokes import FINE_PEN, PEN

Hatch = tuple[tuple[Point, ...], float]
"""Two points (or one) and the pen width."""


def hatch(inside: Flags, drawn: Flags, target: int, rng: np.random.Generator) -> list[Hatch]:
    """Draw rows of strokes inside a class until ``target`` of its pixels are labelled, or all of them.

    Args:
        inside: (H, W) bool, the pixels of the class.
        drawn: (H, W) bool, the pixels that are labelled already; changed in place.
        target: Number of pixels to be labelled in total.
        rng: Random generator. The order of the rows is random, so that a part of them is spread over the class.
    """
    hatches: list[Hatch] = []
    missing = target - int(drawn.sum())
    for thickness in (int(PEN), int(FINE_PEN)):
        for top in rng.permutation(np.arange(0, inside.shape[0] - thickness + 1, thickness)):
            rows = slice(int(top), int(top) + thickness)
            columns: Flags = np.all(inside[rows], axis=0) & ~np.all(drawn[rows], axis=0)
            for first, last in _runs(columns, thickness):
                if missing <= 0:
                    return hatches
                last = min(last, first + max(thickness, -(-missing // thickness)))
                missing -= int((~drawn[rows, first:last]).sum())
                drawn[rows, first:last] = True
                hatches.append((_row(first, last, int(top), thickness), float(thickness)))
    return hatches


def _runs(columns: Flags, least: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges of consecutive columns that are set, of at least ``least`` columns."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], columns, [False]])))
    return ((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least)


def _row(first: int, last: int, top: int, thickness: int) -> tuple[Point, ...]:
    """A line that labels exactly ``thickness`` rows from ``top`` and the columns ``first`` .. ``last`` - 1.

    A pen 3 wide labels the pixels whose centre is at most 1.5 away: one pixel beyond the line's ends, corners included
    (distance 1.41).
    """
    inset = thickness / 2
    y = top + thickness / 2
    ends = ((first + inset, y), (last - inset, y))
    return ends if ends[0] != ends[1] else ends[:1]
