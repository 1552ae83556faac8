"""Weighted averages over dilated neighbours on the CPU, for pixel-adaptive refinement."""

from __future__ import annotations

import numpy as np
import torch
from numba import prange
from numpy.typing import NDArray
from torch import Tensor

from underpaint.kernels.jit import prepare
from underpaint.kernels.machine_code import compiled

Floats = NDArray[np.float32]


def average(mask: Tensor, weights: Tensor, offsets: list[tuple[int, int]], reach: int, iterations: int) -> Tensor:
    """Repeat ``M_i <- sum_o w_oi M_(i + o)`` for one image. Outside the image the border pixels are repeated.

    Args:
        mask: (C, H, W) float32.
        weights: (O, H, W) float32; O must be a multiple of 4.
        offsets: O offsets (dy, dx), one for each weight.
        reach: Largest absolute offset.
        iterations: Number of repetitions.

    Returns:
        (C, H, W) float32.
    """
    threads = prepare(_average, purpose="pixel-adaptive refinement", seconds=3)
    height, width = mask.shape[-2:]
    # Each row has a margin of its own, so that a shift to the side is a slice. Rows are looked up, see `_shifted`.
    now = np.ascontiguousarray(np.pad(mask.numpy(), ((0, 0), (0, 0), (reach, reach)), mode="edge"))
    new = np.empty_like(now)
    for _ in range(iterations):
        _average(now, weights.numpy(), np.array(offsets), reach, threads, new)
        now, new = new, now
    return torch.from_numpy(now[:, :height, reach : reach + width])


@compiled(parallel=True)
def _average(now: Floats, weights: Floats, offsets: NDArray[np.int64], reach: int, workers: int, new: Floats) -> None:
    channels, height, padded = now.shape
    width = padded - 2 * reach
    for worker in prange(workers):
        for y in range(height * worker // workers, height * (worker + 1) // workers):
            for c in range(channels):
                out = new[c, y, reach : reach + width]
                out[:] = 0
                for o in range(0, len(offsets), 4):
                    _add_products(
                        out,
                        weights[o, y],
                        _shifted(now[c], y, offsets[o], reach, width),
                        weights[o + 1, y],
                        _shifted(now[c], y, offsets[o + 1], reach, width),
                        weights[o + 2, y],
                        _shifted(now[c], y, offsets[o + 2], reach, width),
                        weights[o + 3, y],
                        _shifted(now[c], y, offsets[o + 3], reach, width),
                    )
                new[c, y, :reach] = out[0]
                new[c, y, reach + width :] = out[width - 1]


@compiled()
def _shifted(plane: Floats, y: int, offset: NDArray[np.int64], reach: int, width: int) -> Floats:
    """Row ``y`` of a plane as seen from an offset; above and below the image the border row is repeated."""
    start = reach + offset[1]
    return plane[min(max(y + offset[0], 0), len(plane) - 1), start : start + width]


@compiled(fastmath={"contract"})
def _add_products(
    out: Floats, w: Floats, v: Floats, w2: Floats, v2: Floats, w3: Floats, v3: Floats, w4: Floats, v4: Floats
) -> None:
    """Add four products of rows of one length. With more arrays LLVM gives up proving that they do not overlap."""
    for p in range(out.size):
        out[p] = out[p] + w[p] * v[p] + w2[p] * v2[p] + w3[p] * v3[p] + w4[p] * v4[p]
