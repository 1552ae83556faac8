"""Pair sums over a window on the CPU: float32, on all cores, with memory that does not grow with the window.

The image is cut into blocks that fit the cache of a core. A block and its margin are stored as one flat row for each
channel, so that a neighbour at (dy, dx) is always at the same distance ``shift`` in memory. First the weights of all
pairs of a strip of rows are computed, each once. Then they are used at both ends of the pair, while the sums stay in
registers. Pixels outside the image have weight zero.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import prange
from numpy.typing import NDArray
from torch import Tensor

from underpaint.kernels.gaussian import HalfWindow
from underpaint.kernels.jit import prepare
from underpaint.kernels.machine_code import compiled
from underpaint.kernels.products import group_size, sum_neighbours
from underpaint.kernels.vectors import LANES, exp2

Floats = NDArray[np.float32]
_BLOCK = (32, 128)
"""Largest height and width of a block. With 21 channels and margins it fills half of a second-level cache of 1 MB."""

_STRIP = 8
"""Number of rows of a block whose weights, with those of the margin above, are in memory at one time."""


def filter_pairs(
    values: Tensor,
    rgb: Tensor,
    window: HalfWindow,
    source: Tensor | None,
    destination: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """As `windowed_torch.filter_pairs`, for contiguous float32 tensors on the CPU."""
    threads = prepare(_filter, purpose="windowed pair sums", seconds=8)
    count, channels, height, width = values.shape
    filtered = torch.empty_like(values)
    disagreement = values.new_empty(count, height, width)
    _filter(
        values.numpy(),
        rgb.numpy(),
        _bytes(source),
        _bytes(destination),
        window.offsets,
        (window.spatial / 2).astype(np.float32),
        (window.flat / 2).astype(np.float32),
        (window.decay * math.log2(math.e)).astype(np.float32),
        window.radius,
        _evenly(height, _BLOCK[0]),
        LANES * _evenly(-(-width // LANES), _BLOCK[1] // LANES),
        group_size(channels + 1),
        threads,
        filtered.numpy(),
        disagreement.numpy(),
    )
    return filtered, disagreement


def _evenly(size: int, most: int) -> int:
    """Size of the fewest equal parts that are not larger than ``most``."""
    return math.ceil(size / math.ceil(size / most))


def _bytes(gate: Tensor | None) -> NDArray[np.uint8]:
    return np.empty((0, 0, 0), np.uint8) if gate is None else gate.to(torch.uint8).contiguous().numpy()


@compiled(parallel=True, fastmath={"contract"})
def _filter(
    values: Floats,
    rgb: Floats,
    source: NDArray[np.uint8],
    destination: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    spatial: Floats,
    flat: Floats,
    decay: Floats,
    radius: int,
    rows: int,
    columns: int,
    group: int,
    workers: int,
    filtered: Floats,
    disagreement: Floats,
) -> None:
    count, channels, height, width = values.shape
    down, across = (height + rows - 1) // rows, (width + columns - 1) // columns
    pitch = columns + 2 * radius
    size = (rows + 2 * radius) * pitch + 3 * radius
    shifts = offsets[:, 0] * pitch + offsets[:, 1]
    padded = (channels // group + 1) * group
    for worker in prange(workers):
        # One more channel consists of ones: it collects the sum of the weights.
        local = np.zeros((padded, size), np.float32)
        colours = np.zeros((3, size), np.float32)
        gates = np.zeros((2, size), np.float32)
        weights = np.zeros((len(offsets), (_STRIP + radius) * pitch + radius), np.float32)
        sums = np.zeros((padded, columns), np.float32)
        for task in range(worker, count * down * across, workers):
            n, top, left = task // (down * across), task // across % down * rows, task % across * columns
            _load(values[n], rgb[n], top - radius, left - radius, radius, pitch, local, colours, gates)
            _gate(n, source, gates[0], top - radius, left - radius, radius, pitch)
            _gate(n, destination, gates[1], top - radius, left - radius, radius, pitch)
            for start in range(top, min(height, top + rows), _STRIP):
                strip = min(_STRIP, height - start, top + rows - start)
                _weigh(
                    colours, gates, offsets, shifts, spatial, flat, decay, radius, pitch, start - top, strip, weights
                )
                for row in range(start, start + strip):
                    _sum_row(local, weights, shifts, group, radius, pitch, row - top, row - start, sums)
                    _store(local, sums, row, row - top, left, radius, pitch, filtered[n], disagreement[n])


@compiled()
def _load(
    values: Floats,
    rgb: Floats,
    top: int,
    left: int,
    radius: int,
    pitch: int,
    local: Floats,
    colours: Floats,
    gates: Floats,
) -> None:
    """Copy the part of the image under a block and its margin; pixels outside the image get gates of zero."""
    channels, height, width = values.shape
    start, stop = max(0, left), min(width, left + pitch)
    gates[:] = 0
    for row in range(max(0, top), min(height, top + (local.shape[1] - 2 * radius) // pitch)):
        first = radius + (row - top) * pitch + start - left
        last = first + stop - start
        for c in range(channels):
            local[c, first:last] = values[c, row, start:stop]
        for c in range(3):
            colours[c, first:last] = rgb[c, row, start:stop]
        local[channels, first:last] = 1
        gates[:, first:last] = 1


@compiled()
def _gate(n: int, mask: NDArray[np.uint8], gate: Floats, top: int, left: int, radius: int, pitch: int) -> None:
    """Copy the part of a gate under a block; with an empty mask the gate of every pixel stays 1."""
    if mask.size == 0:
        return
    _, height, width = mask.shape
    start, stop = max(0, left), min(width, left + pitch)
    for row in range(max(0, top), min(height, top + (gate.size - 2 * radius) // pitch)):
        first = radius + (row - top) * pitch + start - left
        gate[first : first + stop - start] = mask[n, row, start:stop]


@compiled()
def _weigh(
    colours: Floats,
    gates: Floats,
    offsets: NDArray[np.int64],
    shifts: NDArray[np.int64],
    spatial: Floats,
    flat: Floats,
    decay: Floats,
    radius: int,
    pitch: int,
    above: int,
    strip: int,
    weights: Floats,
) -> None:
    """Compute the weights of the pairs that begin in a strip of rows or in the margin above it.

    The previous strip has already computed those of the margin. ``weights[o, q]`` belongs to the pixel that comes ``q``
    places after the first pixel that can reach the strip.
    """
    margin = radius * pitch + radius
    kept = margin if above else 0
    length = margin + strip * pitch
    start = radius + above * pitch
    distance = np.empty(length - kept, np.float32)
    for o in range(len(offsets)):
        weights[o, :kept] = weights[o, _STRIP * pitch : _STRIP * pitch + kept]
        here = slice(start + kept, start + length)
        there = slice(start + kept + shifts[o], start + length + shifts[o])
        weight = weights[o, kept:length]
        weight[:] = flat[o]
        distance[:] = 0
        for c in range(3 if decay.size else 0):
            _add_squares(distance, colours[c, here], colours[c, there])
        for m in range(decay.size):
            _add_gaussian(weight, distance, spatial[o, m], decay[m])
        _multiply_gates(weight, gates[0, here], gates[1, here], gates[0, there], gates[1, there])


@compiled()
def _sum_row(
    local: Floats,
    weights: Floats,
    shifts: NDArray[np.int64],
    group: int,
    radius: int,
    pitch: int,
    row: int,
    line: int,
    sums: Floats,
) -> None:
    """Sum the neighbours of the pixels in row ``row`` of the block, which is row ``line`` of its strip."""
    margin = radius * pitch + radius
    for x in range(0, sums.shape[1], LANES):
        q, p = margin + line * pitch + x, radius + margin + row * pitch + x
        for first in range(0, len(local), group):
            sum_neighbours(sums, x, weights, q, shifts, local, p, first, group)


# Each of the loops below uses few arrays. LLVM gives up vectorising a loop if it would have to prove for too many pairs
# of arrays that they do not overlap.


@compiled(fastmath={"contract"})
def _add_squares(out: Floats, a: Floats, b: Floats) -> None:
    for p in range(out.size):
        difference = a[p] - b[p]
        out[p] += difference * difference


@compiled(fastmath={"contract"})
def _add_gaussian(out: Floats, distance: Floats, spatial: np.float32, decay: np.float32) -> None:
    for p in range(out.size):
        out[p] += spatial * exp2(distance[p] * decay)


@compiled(fastmath={"contract"})
def _multiply_gates(out: Floats, send: Floats, receive: Floats, send2: Floats, receive2: Floats) -> None:
    for p in range(out.size):
        out[p] *= receive[p] * send2[p] + send[p] * receive2[p]


@compiled(fastmath={"contract"})
def _store(
    local: Floats,
    sums: Floats,
    row: int,
    line: int,
    left: int,
    radius: int,
    pitch: int,
    filtered: Floats,
    disagreement: Floats,
) -> None:
    channels, _, width = filtered.shape
    stop = min(width, left + sums.shape[1])
    unlike = disagreement[row, left:stop]
    unlike[:] = sums[channels, : stop - left]
    at = 2 * radius + (radius + line) * pitch
    for c in range(channels):
        total, own, out = sums[c], local[c, at : at + stop - left], filtered[c, row, left:stop]
        for x in range(stop - left):
            out[x] = total[x]
            unlike[x] -= own[x] * total[x]
