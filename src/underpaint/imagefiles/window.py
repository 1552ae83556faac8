"""The window of values that a data set of 16 bits is seen through: two numbers, the same for all its photographs.

A camera of 10 or 12 bits, or a microscope that counts few photons, fills a small part of 16 bits. Networks see 8.
Values from the window's lower end to its upper end become 0 to 255 along a straight line, what lies outside becomes 0
or 255. Where nobody says otherwise the ends are percentiles over all pixels of the data set's photographs of 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from underpaint.imagefiles.depth import LEVELS, Deep

Window = tuple[int, int]
"""Lower and upper end, 0 <= lower < upper <= 65535."""

SHARES = (0.001, 0.999)
"""Shares of the pixels that lie below the ends: one in a thousand may be a dead pixel or a glint."""

OUTSIDE = 0.01
"""Share of a photograph's values outside the window from which on it is named: ten times what the rule leaves out."""


def checked(window: Window) -> Window:
    """The window. Raises `ValueError` where its ends are out of range or order."""
    if not 0 <= window[0] < window[1] < LEVELS:
        raise ValueError(f"a window is a lower and an upper value, in order, from 0 to {LEVELS - 1}")
    return window


def through(values: Deep, window: Window) -> NDArray[np.uint8]:
    """The values as 8 bits; any shape."""
    low, high = window
    steps = (np.arange(LEVELS, dtype=np.float64) - low) * 255 / (high - low)
    return np.asarray(np.rint(steps).clip(0, 255).astype(np.uint8)[values])


def outside(values: Deep, window: Window) -> float:
    """Share of the values, 0 to 1, that lie outside the window."""
    return float(((values < window[0]) | (values > window[1])).mean())


def own_window(values: Deep) -> Window:
    """From the least value to the greatest; one wide where all are the same."""
    low, high = int(values.min()), int(values.max())
    return (low, high) if low < high else (min(low, LEVELS - 2), min(low, LEVELS - 2) + 1)


def common_window(photographs: Iterable[Deep]) -> Window | None:
    """The window of the values of some photographs, in which every value counts once; None where there are none."""
    counts = np.zeros(LEVELS, np.int64)
    for values in photographs:
        counts += np.bincount(values.ravel(), minlength=LEVELS)
    if not counts.any():
        return None
    below = np.cumsum(counts) / counts.sum()
    low, high = (int(np.searchsorted(below, share)) for share in SHARES)
    return own_window(np.array([low, high], np.uint16))
