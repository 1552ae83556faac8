"""Pair sums over a window in torch, for any device and floating type. Tests compare the other back ends with it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from underpaint.kernels.gaussian import HalfWindow
from underpaint.kernels.threads import torch_threads

Slices = tuple[slice, slice]

SMALL = 2_000_000
"""Images with fewer values (C H W) than this are faster with one thread than with two: 0.05 s instead of 0.12 s for 4
images of 21 x 128 x 128, and 0.22 s instead of 0.32 s for 256 x 256. At 512 x 512 two threads are faster."""


def filter_pairs(
    values: Tensor, rgb: Tensor, window: HalfWindow, source: Tensor | None, destination: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sum the neighbours of every pixel, and measure how much the pixel disagrees with them.

    The weights ``w_ij = K_ij (d_i s_j + s_i d_j) / 2`` (s source, d destination) are symmetric in i and j, so that each
    pair is visited once and serves both pixels. Beside the result this needs the memory of a few (N, 3, H, W).

    Args:
        values: (N, C, H, W), float32 or float64.
        rgb: (N, 3, H, W) of the same type.
        window: Offsets and position terms.
        source: (N, H, W) bool; None means ones.
        destination: (N, H, W) bool; None means ones.

    Returns:
        ``q_i = sum_j w_ij v_j`` (N, C, H, W) and ``sum_j w_ij - <v_i, q_i>`` (N, H, W).
    """
    filtered, total = torch.zeros_like(values), torch.zeros_like(values[:, :1])
    gates = _gates(values, source, destination)
    # On the CPU the images are processed one by one, because one fits the cache and a batch does not. On a GPU they
    # are processed together, because that needs fewer launches.
    together = 1 if values.device.type == "cpu" else len(values)
    with _few_threads(values):
        for n in range(0, len(values), together):
            part = slice(n, n + together)
            gate = None if gates is None else (gates[0][part], gates[1][part])
            _add_neighbours(values[part], rgb[part], window, gate, filtered[part], total[part])
    for channel in range(values.shape[1]):  # The product of whole tensors would need as much memory again.
        total[:, 0].addcmul_(values[:, channel], filtered[:, channel], value=-1)
    return filtered, total[:, 0]


def _few_threads(values: Tensor) -> AbstractContextManager[None]:
    """Use one thread for small images on a CPU: in short operations, threads wait longer than they save."""
    small = values.device.type == "cpu" and values[0].numel() < SMALL
    return torch_threads(1) if small else nullcontext()


def _add_neighbours(
    values: Tensor,
    rgb: Tensor,
    window: HalfWindow,
    gates: tuple[Tensor, Tensor] | None,
    filtered: Tensor,
    total: Tensor,
) -> None:
    """Add the weighted neighbours of every pixel to ``filtered``, and the weights to ``total``."""
    height, width = values.shape[-2:]
    for o, (dy, dx) in enumerate(window.offsets.tolist()):
        if dy >= height or abs(dx) >= width:
            continue
        near = (slice(0, height - dy), slice(max(0, -dx), min(width, width - dx)))
        far = (slice(dy, height), slice(max(0, dx), min(width, width + dx)))
        weight = _pair_weights(rgb, window, o, near, far)
        if gates is not None:
            weight *= _gate_product(gates, near, far)
        for here, there in ((near, far), (far, near)):
            filtered[(..., *here)].addcmul_(weight, values[(..., *there)])
            total[(..., *here)] += weight


def _pair_weights(rgb: Tensor, window: HalfWindow, o: int, near: Slices, far: Slices) -> Tensor:
    """K_ij of the pairs at one offset, (N, 1, h, w)."""
    colours = rgb[(..., *near)]
    if window.decay.size == 0:
        return torch.full_like(colours[:, :1], window.flat[o])
    distance = (colours - rgb[(..., *far)]).square_().sum(dim=1, keepdim=True)
    weight = torch.full_like(distance, window.flat[o])
    for spatial, decay in zip(window.spatial[o].tolist(), window.decay.tolist(), strict=True):
        weight.add_(torch.exp(distance * decay), alpha=spatial)
    return weight


def _gates(values: Tensor, source: Tensor | None, destination: Tensor | None) -> tuple[Tensor, Tensor] | None:
    if source is None and destination is None:
        return None
    ones = torch.ones_like(values[:, :1])
    send = ones if source is None else source.unsqueeze(1).to(values.dtype)
    receive = ones if destination is None else destination.unsqueeze(1).to(values.dtype)
    return send, receive


def _gate_product(gates: tuple[Tensor, Tensor], near: Slices, far: Slices) -> Tensor:
    send, receive = gates
    forth = receive[(..., *near)] * send[(..., *far)]
    return forth.addcmul_(send[(..., *near)], receive[(..., *far)]).mul_(0.5)
