"""The window of values through which a data set of 16 bits is reduced to 8 bits: two numbers, the same for all images.

A camera of 10 or 12 bits, or a microscope that counts few photons, fills a small part of the 16 bits, and networks take
8 bits. Values from the window's lower end to its upper end become 0 to 255 linearly; values outside become 0 or 255. By
default the ends are percentiles over all pixels of the data set's images of 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from underpaint.imagefiles.depth import LEVELS, Deep

Window = tuple[int, int]
"""The lower and the upper end, 0 <= lower < upper <= 65535."""

SHARES = (0.001, 0.999)
"""The shares of the pixels that lie below the two ends: one pixel in a thousand may be a dead pixel or a glint."""

OUTSIDE = 0.01
"""An image is reported where a larger share of its values lies outside the window. This is ten times what `SHARES`
leaves out."""


def checked(window: Window) -> Window:
    """The same window. Raises `ValueError` where its ends are out of range or in the wrong order."""
    if not 0 <= window[0] < window[1] < LEVELS:
        raise ValueError(f"a window is a lower and an upper value, in order, from 0 to {LEVELS - 1}")
    return window


def through(values: Deep, window: Window) -> NDArray[np.uint8]:
    """The values as 8 bits. The array may have any shape."""
    low, high = window
    steps = (np.arange(LEVELS, dtype=np.float64) - low) * 255 / (high - low)
    return np.asarray(np.rint(steps).clip(0, 255).astype(np.uint8)[values])


def outside(values: Deep, window: Window) -> float:
    """The share of the values, 0 to 1, that lies outside the window."""
    return float(((values < window[0]) | (values > window[1])).mean())


def own_window(values: Deep) -> Window:
    """The window from the least to the greatest value. It is one value wide where all values are the same."""
    low, high = int(values.min()), int(values.max())
    return (low, high) if low < high else (min(low, LEVELS - 2), min(low, LEVELS - 2) + 1)


def common_window(images: Iterable[Deep]) -> Window | None:
    """The window of the values of some images, in which every value counts once; None where there are none."""
    counts = np.zeros(LEVELS, np.int64)
    for values in images:
        counts += np.bincount(values.ravel(), minlength=LEVELS)
    if not counts.any():
        return None
    below = np.cumsum(counts) / counts.sum()
    low, high = (int(np.searchsorted(below, share)) for share in SHARES)
    return own_window(np.array([low, high], np.uint16))
