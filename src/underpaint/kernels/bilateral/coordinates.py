"""Coordinates of pixels and of lattice vertices: the features that span the space, and integer keys for the vertices.

Both forms of the lattice, compiled and in torch, use these functions, so that they number the same vertices.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]


def image_features(rgb: Tensor, *, sigma_xy: float, sigma_rgb: float | None) -> Tensor:
    """Position and colour of every pixel, divided by the standard deviations of the Gaussian.

    Args:
        rgb: (3, H, W) in any range.
        sigma_xy: Standard deviation of the position, in pixels.
        sigma_rgb: Standard deviation of the colour, in the units of ``rgb``. None leaves the colour out.

    Returns:
        (5, H W): column, row, red, green, blue; or (2, H W) without the colour.
    """
    height, width = rgb.shape[-2:]
    row = torch.arange(height, device=rgb.device, dtype=rgb.dtype)[:, None].expand(height, width)
    column = torch.arange(width, device=rgb.device, dtype=rgb.dtype)[None].expand(height, width)
    position = torch.stack([column, row]).flatten(1) / sigma_xy
    return position if sigma_rgb is None else torch.cat([position, rgb.flatten(1) / sigma_rgb])


def elevation_scale(dims: int) -> Floats:
    """(d,) factors of the features with which the blur on the lattice has a standard deviation of 1."""
    index = np.arange(dims)
    return np.asarray(math.sqrt(2 / 3) * (dims + 1) / np.sqrt((index + 1) * (index + 2)), dtype=np.float32)


def packing(lowest: Floats, highest: Floats) -> tuple[Longs, int]:
    """How to pack the first d coordinates of a vertex into one integer key: ``base + sum_j stride_j coordinate_j``.

    Every vertex that the points or their neighbours can touch gets a key of its own, which is not negative.

    Args:
        lowest: (d,) smallest value of each scaled feature over all points.
        highest: (d,) largest value.

    Returns:
        The strides (d + 1,), of which the last is 0, and the base.

    Raises:
        DataError: a feature is not finite.
        ConfigError: the points spread over more than 2^62 cells of the lattice.
    """
    dims, low, high = len(lowest), lowest.astype(np.float64), highest.astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise DataError("the colours of the image are not finite", fix="search the image for NaN or infinity")
    margin = 3 * (dims + 1)  # A simplex reaches d + 1 from its point, and a neighbour is d away from a vertex.
    stride, base, cells = np.zeros(dims + 1, np.int64), 0, 1
    for j in range(dims):
        reach = low[j:].sum() - (j * high[j - 1] if j else 0), high[j:].sum() - (j * low[j - 1] if j else 0)
        least, most = math.floor(reach[0]) - margin, math.ceil(reach[1]) + margin
        stride[j], base = cells, base - cells * least
        cells *= most - least + 1
        if cells > 2**62:
            raise ConfigError("the lattice would have more than 2^62 cells", fix="use larger standard deviations")
    return stride, base
