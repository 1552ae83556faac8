"""The steps of a random walk on the CPU: a sparse matrix times a few columns, many times."""

from __future__ import annotations

import numpy as np
import torch
from numba import prange
from numpy.typing import NDArray
from torch import Tensor

from underpaint.kernels.jit import prepare
from underpaint.kernels.machine_code import compiled
from underpaint.kernels.vectors import add_scaled, padded

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]


def walk(back: Tensor, rows: Tensor, steps: int) -> Tensor:
    """Compute ``back^steps rows`` for a coalesced sparse (P, P) and a dense (P, C), both float32 on the CPU."""
    threads = prepare(_step, purpose="random walks", seconds=3)
    pixels, classes = rows.shape
    now = np.zeros((pixels, padded(classes)), np.float32)
    now[:, :classes] = rows.numpy()
    new = np.empty_like(now)
    receivers, senders = (index.contiguous().numpy() for index in back.indices())
    first = np.concatenate([[0], np.cumsum(np.bincount(receivers, minlength=pixels))])
    for _ in range(steps):
        _step(first, senders, back.values().numpy(), now, threads, new)
        now, new = new, now
    return torch.from_numpy(now[:, :classes])


@compiled(parallel=True)
def _step(first: Longs, senders: Longs, values: Floats, now: Floats, workers: int, new: Floats) -> None:
    pixels = len(now)
    for worker in prange(workers):
        for i in range(pixels * worker // workers, pixels * (worker + 1) // workers):
            new[i] = 0
            for e in range(first[i], first[i + 1]):
                add_scaled(new, i, values[e], now, senders[e])
