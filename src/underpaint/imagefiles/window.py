"""The window of values through which images of more than 8 bits become 8 bits: a lower and an upper end.

A camera of 10 or 12 bits, a microscope that counts few photons, and Hounsfield units or floating point numbers fill a
small part of their range, and networks take 8 bits. Values from the window's lower end to its upper end become 0 to 255
linearly; values outside become 0 or 255, and are counted. By default the ends are percentiles over the images of the
data set, the same for all of them; a picture in colours has one window for its three bands, so that its colours stay,
and chosen bands have one each, since each is a measurement of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = tuple[float, float]
"""The lower and the upper end, in stored values."""

SHARES = (0.005, 0.995)
"""The shares of the pixels that lie below the two ends: one pixel in 200 may be dead, a glint, or dust."""

OUTSIDE = 0.05
"""An image is reported where a larger share of its values lies outside the window. `SHARES` leave out a fifth of it."""

LEVELS = 1 << 16

SAMPLE = 1 << 18
"""Values of a band that an image gives for percentiles of numbers that are not of 16 bits."""

Values = NDArray[Any]


def checked(window: Window) -> Window:
    """The same window. Raises `ValueError` where its ends are no finite numbers in order."""
    if not (math.isfinite(window[0]) and math.isfinite(window[1]) and window[0] < window[1]):
        raise ValueError("a window is a lower and an upper value, in order")
    return window


def through(values: Values, window: Window) -> NDArray[np.uint8]:
    """The values as 8 bits. The array may have any shape; what is no number becomes 0."""
    low, high = window
    if values.dtype == np.uint16:
        table = _steps(np.arange(LEVELS, dtype=np.float64), low, high)
        return np.asarray(table[values], dtype=np.uint8)
    return _steps(values.astype(np.float64), low, high)


def _steps(numbers: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.rint((numbers - low) * 255 / (high - low)).clip(0, 255)
    return np.asarray(np.nan_to_num(steps, nan=0.0), dtype=np.uint8)


def outside(values: Values, window: Window) -> float:
    """The share of the values, 0 to 1, that lies outside the window."""
    return float(((values < window[0]) | (values > window[1])).mean()) if values.size else 0.0


@dataclass
class Spread:
    """How the values of many images are spread, as far as percentiles need it.

    Values of 16 bits or fewer are counted, all of them; of others a regular part is kept (`SAMPLE` of an image).

    Args:
        counts: How often each value of 16 bits occurs, from -32,768 to 65,535.
        kept: Parts of other values.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LEVELS + LEVELS // 2, np.int64))
    kept: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, values: Values) -> None:
        """Take in the values of a band of an image; those that are no numbers count nowhere."""
        flat = values.ravel()
        if flat.dtype in (np.uint16, np.int16, np.uint8, np.int8):
            self.counts += np.bincount(flat.astype(np.int64) + LEVELS // 2, minlength=len(self.counts))
            return
        part = flat[:: max(1, flat.size // SAMPLE)].astype(np.float32)
        self.kept.append(part[np.isfinite(part)])

    def window(self) -> Window | None:
        """From one percentile to the other; None where no value was seen. It is never empty."""
        rest = np.concatenate(self.kept) if self.kept else np.empty(0, np.float32)
        if rest.size:
            if self.counts.any():  # files of both kinds: as numbers of one scale
                there = np.flatnonzero(self.counts)
                shares = np.maximum(1, self.counts[there] * SAMPLE // max(1, int(self.counts.sum())))
                rest = np.concatenate([rest, np.repeat(there - LEVELS // 2, shares).astype(np.float32)])
            return _wide(*(float(q) for q in np.quantile(rest, SHARES)))
        if not self.counts.any():
            return None
        below = np.cumsum(self.counts) / self.counts.sum()
        low, high = (int(np.searchsorted(below, share)) - LEVELS // 2 for share in SHARES)
        return _wide(low, high)


def _wide(low: float, high: float) -> Window:
    """The window, one step wide where all values are the same."""
    return (low, high) if low < high else (low, low + 1)


def window_of(images: Iterable[Values]) -> Window | None:
    """The window of the values of some images; None where there are none."""
    spread = Spread()
    for values in images:
        spread.add(values)
    return spread.window()
