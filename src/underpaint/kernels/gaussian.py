"""Gaussian kernels of position and colour, and the half window of neighbours that a symmetric sum has to visit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from underpaint.core.errors import ConfigError


@dataclass(frozen=True)
class GaussianKernel:
    """One term ``weight * exp(-|xy_i - xy_j|² / (2 sigma_xy²) - |rgb_i - rgb_j|² / (2 sigma_rgb²))``.

    Args:
        weight: Factor of the term, any finite number.
        sigma_xy: Standard deviation of the position, in pixels of the grid that is summed over, above 0.
        sigma_rgb: Standard deviation of the colour, in the units of the image, above 0; None leaves the colour out.

    Raises:
        ConfigError: a standard deviation that is not a positive finite number, or a weight that is not finite.
    """

    weight: float
    sigma_xy: float
    sigma_rgb: float | None

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise ConfigError(f"weight is {self.weight}", where="GaussianKernel", accepted="a finite number")
        for name, sigma in (("sigma_xy", self.sigma_xy), ("sigma_rgb", self.sigma_rgb)):
            if sigma is not None and not 0 < sigma < math.inf:
                raise ConfigError(f"{name} is {sigma}", where="GaussianKernel", accepted="a finite number above 0")


@dataclass(frozen=True)
class HalfWindow:
    """The pairs of a square window, each pair once, with all factors that do not depend on the image.

    Args:
        offsets: (O, 2) as (dy, dx): dy = 0 with dx > 0, and every dx for dy > 0. O is always even.
        spatial: (O, K) weight times position term of the K kernels that use the colour.
        flat: (O,) sum of the kernels that do not use the colour.
        decay: (K,) negative factors of the squared colour distance in the exponent of e.
        radius: Reach of the window in pixels.
    """

    offsets: NDArray[np.int64]
    spatial: NDArray[np.float64]
    flat: NDArray[np.float64]
    decay: NDArray[np.float64]
    radius: int

    @classmethod
    def of(cls, kernels: Sequence[GaussianKernel], *, radius: int, height: int, width: int) -> HalfWindow:
        """The window with ``2 radius + 1`` pixels a side, or as much of it as fits an image of that size.

        Raises:
            ConfigError: no kernel, or a radius below 1.
        """
        if not kernels:
            raise ConfigError("no kernel is given", where="kernels", accepted="one GaussianKernel or more")
        if radius < 1:
            raise ConfigError(f"radius is {radius}", where="radius", accepted="1 or more pixels")
        reach = min(radius, max(height, width) - 1)
        ahead = [(0, dx) for dx in range(1, reach + 1)]
        below = [(dy, dx) for dy in range(1, reach + 1) for dx in range(-reach, reach + 1)]
        offsets = np.array(ahead + below, dtype=np.int64).reshape(-1, 2)
        squared = (offsets**2).sum(axis=1)[:, None]
        position = [k.weight * np.exp(-squared / (2 * k.sigma_xy**2)) for k in kernels]
        coloured = [m for m, k in enumerate(kernels) if k.sigma_rgb is not None]
        plain = [m for m, k in enumerate(kernels) if k.sigma_rgb is None]
        table = np.concatenate(position, axis=1)
        decay = np.array([-1 / (2 * k.sigma_rgb**2) for k in kernels if k.sigma_rgb is not None])
        return cls(offsets, np.ascontiguousarray(table[:, coloured]), table[:, plain].sum(axis=1), decay, reach)
