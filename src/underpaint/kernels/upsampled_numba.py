"""Bilinear upsampling and softmax in one pass on the CPU, and the way back: float32, all cores, vectors of columns.

A row of cells is widened once and serves all rows of pixels between it and the next, so that the upsampled logits never
exist beyond one row. On the way back, the gradient of the logits is added into two rows of full width, which are
narrowed when the pixels leave them. Strips of rows are independent; what a strip owes the first row of cells of the
next is added afterwards, so that the result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numba import prange
from numpy.typing import NDArray
from torch import Tensor

from underpaint.kernels.exponential import exp2
from underpaint.kernels.jit import prepare
from underpaint.kernels.machine_code import compiled

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]

_STRIP = 4
"""Rows of cells of a strip: few enough that one image keeps several cores busy, at one more widened row a strip."""

_LOG2_E = np.float32(1.4426950408889634)

_PURPOSE = "the softmax of upsampled logits"


class Taps(NamedTuple):
    """Which cells every row and column of pixels lies between."""

    row: Longs  # (H,) cell above
    down: Floats  # (H,) weight of the cell below
    column: Longs  # (W,) cell to the left
    right: Floats  # (W,) weight of the cell to the right
    first: Longs  # (strips + 1,) first row of pixels of each strip

    @classmethod
    def of(cls, cells: tuple[int, int], pixels: tuple[int, int]) -> Taps:
        """Taps from (h, w) to (H, W)."""
        row, down = _between(cells[0], pixels[0])
        column, right = _between(cells[1], pixels[1])
        first = np.unique(np.searchsorted(row, np.arange(0, cells[0], _STRIP)))
        return cls(row, down, column, right, np.append(first[first < pixels[0]], pixels[0]))


def _between(cells: int, pixels: int) -> tuple[Longs, Floats]:
    """Lower cell and weight of the upper one for every pixel centre; in float32 and in torch's order of operations."""
    scale = np.float32(cells) / np.float32(pixels)
    at = np.maximum(scale * (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5), np.float32(0))
    low = np.minimum(at.astype(np.int64), cells - 1)
    return low, np.where(low < cells - 1, at - low.astype(np.float32), np.float32(0)).astype(np.float32)


def softmax(logits: Tensor, taps: Taps, out: Tensor) -> None:
    """Softmax of the upsampled logits: contiguous, finite float32 (N, C, h, w) into (N, C, H, W)."""
    threads = prepare(_softmax, purpose=_PURPOSE, seconds=8)
    _softmax(logits.numpy(), taps, threads, out.numpy())


def pull_back(probabilities: Tensor, gradient: Tensor, taps: Taps, cells: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Gradient with respect to the logits (N, C, h, w), from that with respect to the probabilities (N, C, H, W).

    Also returns the inner product of probabilities and gradient, in float64, which falls out of the softmax's rule.
    """
    threads = prepare(_pull_back, purpose=_PURPOSE, seconds=8)
    count, channels, height, _ = probabilities.shape
    pulled = np.zeros((count, channels, *cells), np.float32)
    owed = np.empty((count, len(taps.first) - 1, channels, cells[1]), np.float32)
    inner = np.empty((count, height))
    _pull_back(probabilities.numpy(), gradient.numpy(), taps, threads, pulled, owed, inner)
    for strip, last in enumerate(taps.row[taps.first[1:] - 1]):
        if last + 1 < cells[0]:
            pulled[:, :, last + 1] += owed[:, strip]
    return torch.from_numpy(pulled), torch.from_numpy(inner).sum()


@compiled(parallel=True)
def _softmax(logits: Floats, taps: Taps, workers: int, out: Floats) -> None:
    count, channels, cells, _ = logits.shape
    width, strips = out.shape[3], taps.first.size - 1
    for worker in prange(workers):
        above, below = np.empty((channels, width), np.float32), np.empty((channels, width), np.float32)
        line, top, total = (
            np.empty((channels, width), np.float32),
            np.empty(width, np.float32),
            np.empty(width, np.float32),
        )
        for task in range(worker, count * strips, workers):
            n, strip = task // strips, task % strips
            held = -2
            for y in range(taps.first[strip], taps.first[strip + 1]):
                row = taps.row[y]
                if row == held + 1:
                    above, below = below, above
                elif row != held:
                    _widen(logits[n, :, row], taps.column, taps.right, above)
                if row != held:
                    _widen(logits[n, :, min(row + 1, cells - 1)], taps.column, taps.right, below)
                    held = row
                top[:] = -np.inf
                for c in range(channels):
                    _blend(above[c], below[c], taps.down[y], line[c], top)
                total[:] = 0
                for c in range(channels):
                    _raise(line[c], top, total)
                for x in range(width):
                    total[x] = np.float32(1) / total[x]
                for c in range(channels):
                    _scale(line[c], total, out[n, c, y])


@compiled(fastmath={"contract"})
def _widen(cells: Floats, column: Longs, right: Floats, out: Floats) -> None:
    """A row of cells at the width of the image, times log2 e, because powers of two follow."""
    channels, last = len(cells), cells.shape[1] - 1
    for c in range(channels):
        for x in range(column.size):
            left = cells[c, column[x]]
            out[c, x] = _LOG2_E * (left + right[x] * (cells[c, min(column[x] + 1, last)] - left))


@compiled(fastmath={"contract"})
def _blend(above: Floats, below: Floats, weight: np.float32, out: Floats, top: Floats) -> None:
    for x in range(out.size):
        value = above[x] + weight * (below[x] - above[x])
        out[x] = value
        top[x] = max(top[x], value)


@compiled(fastmath={"contract"})
def _raise(line: Floats, top: Floats, total: Floats) -> None:
    for x in range(line.size):
        power = exp2(line[x] - top[x])
        line[x] = power
        total[x] += power


@compiled()
def _scale(line: Floats, factor: Floats, out: Floats) -> None:
    for x in range(line.size):
        out[x] = line[x] * factor[x]


@compiled(parallel=True)
def _pull_back(
    probabilities: Floats,
    gradient: Floats,
    taps: Taps,
    workers: int,
    pulled: Floats,
    owed: Floats,
    inner: NDArray[np.float64],
) -> None:
    count, channels = pulled.shape[:2]
    width, strips = gradient.shape[3], taps.first.size - 1
    for worker in prange(workers):
        above, below = np.empty((channels, width), np.float32), np.empty((channels, width), np.float32)
        mean = np.empty(width, np.float32)
        for task in range(worker, count * strips, workers):
            n, strip = task // strips, task % strips
            above[:] = 0
            below[:] = 0
            held = taps.row[taps.first[strip]]
            for y in range(taps.first[strip], taps.first[strip + 1]):
                row = taps.row[y]
                if row != held:
                    _narrow(above, taps.column, taps.right, pulled[n, :, held])
                    if row == held + 1:
                        above, below = below, above
                    else:  # where the image is smaller than the map, rows of cells are skipped
                        _narrow(below, taps.column, taps.right, pulled[n, :, held + 1])
                        above[:] = 0
                    below[:] = 0
                    held = row
                mean[:] = 0
                for c in range(channels):
                    _add_product(probabilities[n, c, y], gradient[n, c, y], mean)
                inner[n, y] = _sum(mean)
                for c in range(channels):
                    _add_slope(probabilities[n, c, y], gradient[n, c, y], mean, taps.down[y], above[c], below[c])
            _narrow(above, taps.column, taps.right, pulled[n, :, held])
            _narrow(below, taps.column, taps.right, owed[n, strip])


@compiled(fastmath={"contract"})
def _add_product(a: Floats, b: Floats, out: Floats) -> None:
    for x in range(out.size):
        out[x] += a[x] * b[x]


@compiled()
def _sum(line: Floats) -> float:
    total = 0.0
    for value in line:
        total += value
    return total


@compiled(fastmath={"contract"})
def _add_slope(
    probability: Floats, gradient: Floats, mean: Floats, weight: np.float32, above: Floats, below: Floats
) -> None:
    """Softmax's rule ``p (g - sum_k p_k g_k)``, shared between the rows of cells above and below."""
    for x in range(mean.size):
        slope = probability[x] * (gradient[x] - mean[x])
        part = weight * slope
        below[x] += part
        above[x] += slope - part


@compiled(fastmath={"contract"})
def _narrow(line: Floats, column: Longs, right: Floats, out: Floats) -> None:
    """The transpose of `_widen`, up to its factor; the two cells in work are held in registers."""
    channels, cells = out.shape
    for c in range(channels):
        out[c] = 0
        held, left, ahead = column[0], np.float32(0), np.float32(0)
        for x in range(column.size):
            if column[x] != held:
                out[c, held] += left
                if column[x] == held + 1:
                    left = ahead
                else:
                    out[c, held + 1] += ahead
                    left = np.float32(0)
                held, ahead = column[x], np.float32(0)
            part = right[x] * line[c, x]
            ahead += part
            left += line[c, x] - part
        out[c, held] += left
        if held + 1 < cells:
            out[c, held + 1] += ahead
