"""Windows of values, by which images of more than 8 bits are reduced to 8 bits.

Cameras of 10 or 12 bits, microscopes that count few photons, Hounsfield units and floating point numbers use a small
part of their range, and the input of a network has 8 bits. Values between the two ends of the window become 0 to 255
linearly; values outside become 0 or 255, and are counted. By default the ends are percentiles over all images of the
data set. A colour image has one window for its three bands, so that the colours are kept; chosen bands have one window
each, because each is a different measurement.
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
"""The fractions of the pixels below the two ends: one pixel in 200 may be a dead pixel, a reflection, or dust."""

OUTSIDE = 0.05
"""An image is reported if a larger fraction of its values is outside the window; on average it is 1 %."""

LEVELS = 1 << 16

SAMPLE = 1 << 18
"""Number of values that are sampled per band and image, if the values have more than 16 bits."""

Values = NDArray[Any]


def checked(window: Window) -> Window:
    """Return the same window. Raises `ValueError` if its ends are not finite numbers in ascending order."""
    if not (math.isfinite(window[0]) and math.isfinite(window[1]) and window[0] < window[1]):
        raise ValueError("a window is a lower and an upper value, in order")
    return window


def through(values: Values, window: Window) -> NDArray[np.uint8]:
    """Convert values to 8 bits. The array may have any shape; NaN becomes 0."""
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
    """The fraction of the values, 0 to 1, outside the window."""
    return float(((values < window[0]) | (values > window[1])).mean()) if values.size else 0.0


@dataclass
class Spread:
    """The distribution of the values of many images, for percentiles.

    All values of 16 bits or fewer are counted; of other values a regular sample is stored (`SAMPLE` of each image).

    Args:
        counts: The number of occurrences of each value of 16 bits, from -32,768 to 65,535.
        kept: Samples of other values.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LEVELS + LEVELS // 2, np.int64))
    kept: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, values: Values) -> None:
        """Add the values of a band of an image. Values that are not finite are ignored."""
        flat = values.ravel()
        if flat.dtype in (np.uint16, np.int16, np.uint8, np.int8):
            self.counts += np.bincount(flat.astype(np.int64) + LEVELS // 2, minlength=len(self.counts))
            return
        part = flat[:: max(1, flat.size // SAMPLE)].astype(np.float32)
        self.kept.append(part[np.isfinite(part)])

    def window(self) -> Window | None:
        """The window between the two percentiles; None if there are no values. It is never empty."""
        rest = np.concatenate(self.kept) if self.kept else np.empty(0, np.float32)
        if rest.size:
            if self.counts.any():  # there are values of both kinds, which are combined
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
    """The window, which is one step wide if all values are equal."""
    return (low, high) if low < high else (low, low + 1)


def window_of(images: Iterable[Values]) -> Window | None:
    """The window of the values of some images; None if there are none."""
    spread = Spread()
    for values in images:
        spread.add(values)
    return spread.window()
