"""Pair sums over a window on the CPU: float32, all cores, no memory that grows with the window.

The image is cut into blocks that stay in a core's cache. A block and its margin are stored as one flat row per channel,
so a neighbour at (dy, dx) is always the same ``shift`` away, every inner loop runs over thousands of floats, and the
weight of a pair is computed once and used at both of its ends. Pixels outside the image have weight zero.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit, prange
from numpy.typing import NDArray
from torch import Tensor

from underpaint.kernels.exponential import exp2
from underpaint.kernels.gaussian import HalfWindow
from underpaint.kernels.jit import prepare

Floats = NDArray[np.float32]
_BLOCK = (32, 128)
"""Height and width of a block at most: 21 channels with margins fill about half of a 1 MB second-level cache."""


def filter_pairs(
    values: Tensor, rgb: Tensor, window: HalfWindow, source: Tensor | None, destination: Tensor | None
) -> tuple[Tensor, Tensor]:
    """As `windowed_torch.filter_pairs`, for contiguous float32 tensors on the CPU."""
    threads = prepare(_filter, purpose="windowed pair sums", seconds=8)
    count, _, height, width = values.shape
    filtered, disagreement = torch.empty_like(values), values.new_empty(count, height, width)
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
        _evenly(width, _BLOCK[1]),
        threads,
        filtered.numpy(),
        disagreement.numpy(),
    )
    return filtered, disagreement


def _evenly(size: int, most: int) -> int:
    """Size of equal parts, each of at most ``most``."""
    return math.ceil(size / math.ceil(size / most))


def _bytes(gate: Tensor | None) -> NDArray[np.uint8]:
    return np.empty((0, 0, 0), np.uint8) if gate is None else gate.to(torch.uint8).contiguous().numpy()


@njit(cache=True, parallel=True, fastmath={"contract"})
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
    workers: int,
    filtered: Floats,
    disagreement: Floats,
) -> None:
    count, channels, height, width = values.shape
    down, across = (height + rows - 1) // rows, (width + columns - 1) // columns
    pitch = columns + 2 * radius
    size = (rows + 2 * radius) * pitch + 2 * radius
    for worker in prange(workers):
        # Channel `channels` of the block is all ones: it collects the sum of the weights.
        local = np.zeros((channels + 1, size), np.float32)
        colours = np.zeros((3, size), np.float32)
        gates = np.zeros((2, size), np.float32)
        weights = np.zeros((2, size), np.float32)
        sums = np.zeros((channels + 1, rows * pitch), np.float32)
        for task in range(worker, count * down * across, workers):
            n, top, left = task // (down * across), task // across % down * rows, task % across * columns
            _load(values[n], rgb[n], top - radius, left - radius, radius, pitch, local, colours, gates)
            _gate(n, source, gates[0], top - radius, left - radius, radius, pitch)
            _gate(n, destination, gates[1], top - radius, left - radius, radius, pitch)
            _sum_pairs(local, colours, gates, offsets, spatial, flat, decay, radius, pitch, weights, sums)
            _store(local, sums, top, left, columns, radius, pitch, filtered[n], disagreement[n])


@njit(cache=True)
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
    """Copy the part of the image under a block with margin; what lies outside gets gates of zero."""
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


@njit(cache=True)
def _gate(n: int, mask: NDArray[np.uint8], gate: Floats, top: int, left: int, radius: int, pitch: int) -> None:
    """Copy a gate under a block; an empty mask leaves every pixel of the image open."""
    if mask.size == 0:
        return
    _, height, width = mask.shape
    start, stop = max(0, left), min(width, left + pitch)
    for row in range(max(0, top), min(height, top + (gate.size - 2 * radius) // pitch)):
        first = radius + (row - top) * pitch + start - left
        gate[first : first + stop - start] = mask[n, row, start:stop]


@njit(cache=True)
def _sum_pairs(
    local: Floats,
    colours: Floats,
    gates: Floats,
    offsets: NDArray[np.int64],
    spatial: Floats,
    flat: Floats,
    decay: Floats,
    radius: int,
    pitch: int,
    weights: Floats,
    sums: Floats,
) -> None:
    """Two offsets at a time (their number is even): weights for the block and the margin above, then every channel."""
    length = sums.shape[1]
    inner = radius + radius * pitch
    reach = radius * pitch + length
    distance = np.empty(reach, np.float32)
    sums[:] = 0
    for o in range(0, len(offsets), 2):
        one, two = offsets[o, 0] * pitch + offsets[o, 1], offsets[o + 1, 0] * pitch + offsets[o + 1, 1]
        for k, shift in ((0, one), (1, two)):
            here, there = slice(radius, radius + reach), slice(radius + shift, radius + shift + reach)
            weight = weights[k, here]
            weight[:] = flat[o + k]
            if decay.size:
                _squared_distance(distance, colours[:, here], colours[:, there])
            for m in range(decay.size):
                _add_gaussian(weight, distance, spatial[o + k, m], decay[m])
            _multiply_gates(weight, gates[0, here], gates[1, here], gates[0, there], gates[1, there])
        for c in range(len(local)):
            add_products(
                sums[c],
                weights[0, inner : inner + length],
                local[c, inner + one : inner + one + length],
                weights[0, inner - one : inner - one + length],
                local[c, inner - one : inner - one + length],
                weights[1, inner : inner + length],
                local[c, inner + two : inner + two + length],
                weights[1, inner - two : inner - two + length],
                local[c, inner - two : inner - two + length],
            )


# The four loops below carry the time. Each touches few arrays, because the compiler gives up vectorising a loop when
# it has to prove too many pairs of arrays apart.


@njit(cache=True, fastmath={"contract"})
def _squared_distance(out: Floats, a: Floats, b: Floats) -> None:
    red, green, blue = a[0], a[1], a[2]
    red2, green2, blue2 = b[0], b[1], b[2]
    for p in range(out.size):
        dr, dg, db = red[p] - red2[p], green[p] - green2[p], blue[p] - blue2[p]
        out[p] = dr * dr + dg * dg + db * db


@njit(cache=True, fastmath={"contract"})
def _add_gaussian(out: Floats, distance: Floats, spatial: np.float32, decay: np.float32) -> None:
    for p in range(out.size):
        out[p] += spatial * exp2(distance[p] * decay)


@njit(cache=True, fastmath={"contract"})
def _multiply_gates(out: Floats, send: Floats, receive: Floats, send2: Floats, receive2: Floats) -> None:
    for p in range(out.size):
        out[p] *= receive[p] * send2[p] + send[p] * receive2[p]


@njit(cache=True, fastmath={"contract"})
def add_products(
    out: Floats, w: Floats, v: Floats, w2: Floats, v2: Floats, w3: Floats, v3: Floats, w4: Floats, v4: Floats
) -> None:
    """Add four products of rows of one length."""
    for p in range(out.size):
        out[p] = out[p] + w[p] * v[p] + w2[p] * v2[p] + w3[p] * v3[p] + w4[p] * v4[p]


@njit(cache=True, fastmath={"contract"})
def _store(
    local: Floats,
    sums: Floats,
    top: int,
    left: int,
    columns: int,
    radius: int,
    pitch: int,
    filtered: Floats,
    disagreement: Floats,
) -> None:
    channels, height, width = filtered.shape
    stop = min(width, left + columns)
    for row in range(top, min(height, top + sums.shape[1] // pitch)):
        at = (row - top) * pitch + radius
        unlike = disagreement[row, left:stop]
        unlike[:] = sums[channels, at : at + stop - left]
        for c in range(channels):
            total = sums[c, at : at + stop - left]
            own = local[c, at + radius + radius * pitch :]
            out = filtered[c, row, left:stop]
            for x in range(stop - left):
                out[x] = total[x]
                unlike[x] -= own[x] * total[x]
