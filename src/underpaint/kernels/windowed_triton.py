"""Pair sums over a window on an NVIDIA or AMD GPU: float32, in one fused kernel that stores only the result."""

from __future__ import annotations

import math

import torch
import triton  # type: ignore[import-untyped]  # publishes no types
import triton.language as tl  # type: ignore[import-untyped]  # as above
from torch import Tensor

from underpaint.kernels.gaussian import HalfWindow

_ACCUMULATORS = 2048
"""Pixels times padded channels of one program: 16 registers per thread with 128 threads."""


def filter_pairs(
    values: Tensor, rgb: Tensor, window: HalfWindow, source: Tensor | None, destination: Tensor | None
) -> tuple[Tensor, Tensor]:
    """As `windowed_torch.filter_pairs`, for contiguous float32 tensors on a GPU.

    Every pixel gathers from its whole window. No atomic operation is used, so that every run gives the same bits.
    """
    count, channels, height, width = values.shape
    padded = max(16, triton.next_power_of_2(channels))
    block = max(16, _ACCUMULATORS // padded)
    ones = values.new_ones(1) if source is None or destination is None else None
    send, receive = (ones if g is None else g.to(values.dtype).contiguous() for g in (source, destination))
    filtered, disagreement = torch.empty_like(values), values.new_empty(count, height, width)
    _gather[(count * triton.cdiv(height * width, block),)](
        values,
        rgb,
        send,
        receive,
        torch.from_numpy(window.offsets).to(values.device, torch.int32),
        torch.from_numpy(window.spatial / 2).to(values),
        torch.from_numpy(window.flat / 2).to(values),
        torch.from_numpy(window.decay * math.log2(math.e)).to(values),
        filtered,
        disagreement,
        channels,
        height,
        width,
        len(window.offsets),
        has_source=source is not None,
        has_destination=destination is not None,
        kernels=len(window.decay),
        padded=padded,
        block=block,
    )
    return filtered, disagreement


@triton.jit
def _gather(
    values: tl.tensor,
    rgb: tl.tensor,
    source: tl.tensor,
    destination: tl.tensor,
    offsets: tl.tensor,
    spatial: tl.tensor,
    flat: tl.tensor,
    decay: tl.tensor,
    filtered: tl.tensor,
    disagreement: tl.tensor,
    channels: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    pairs: tl.tensor,
    has_source: tl.constexpr,
    has_destination: tl.constexpr,
    kernels: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
) -> None:
    """One program: ``block`` pixels that are neighbours in memory, with all channels."""
    size = height * width
    blocks = tl.cdiv(size, block)
    n = (tl.program_id(0) // blocks).to(tl.int64)
    pixel = tl.program_id(0) % blocks * block + tl.arange(0, block)
    exists = pixel < size
    y, x = pixel // width, pixel % width
    channel = tl.arange(0, padded)
    image, colours = values + n * channels * size, rgb + n * 3 * size
    red = tl.load(colours + pixel, mask=exists, other=0.0)
    green = tl.load(colours + size + pixel, mask=exists, other=0.0)
    blue = tl.load(colours + 2 * size + pixel, mask=exists, other=0.0)
    send = tl.load(source + n * size + pixel, mask=exists, other=0.0) if has_source else 1.0
    receive = tl.load(destination + n * size + pixel, mask=exists, other=0.0) if has_destination else 1.0
    total = tl.zeros((block,), tl.float32)
    sums = tl.zeros((block, padded), tl.float32)
    for o in range(pairs):
        for side in tl.static_range(2):
            dy = tl.load(offsets + 2 * o) * (1 - 2 * side)
            dx = tl.load(offsets + 2 * o + 1) * (1 - 2 * side)
            inside = exists & (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
            other = pixel + dy * width + dx
            dr = red - tl.load(colours + other, mask=inside, other=0.0)
            dg = green - tl.load(colours + size + other, mask=inside, other=0.0)
            db = blue - tl.load(colours + 2 * size + other, mask=inside, other=0.0)
            distance = dr * dr + dg * dg + db * db
            weight = tl.zeros((block,), tl.float32) + tl.load(flat + o)
            for m in tl.static_range(kernels):
                weight += tl.load(spatial + o * kernels + m) * tl.exp2(distance * tl.load(decay + m))
            their_send = tl.load(source + n * size + other, mask=inside, other=0.0) if has_source else 1.0
            their_receive = tl.load(destination + n * size + other, mask=inside, other=0.0) if has_destination else 1.0
            weight = tl.where(inside, weight * (receive * their_send + send * their_receive), 0.0)
            place = other[:, None] + channel[None, :] * size
            neighbours = tl.load(image + place, mask=inside[:, None] & (channel < channels)[None, :], other=0.0)
            sums += weight[:, None] * neighbours
            total += weight
    place = pixel[:, None] + channel[None, :] * size
    used = exists[:, None] & (channel < channels)[None, :]
    own = tl.load(image + place, mask=used, other=0.0)
    tl.store(filtered + n * channels * size + place, sums, mask=used)
    tl.store(disagreement + n * size + pixel, total - tl.sum(own * sums, axis=1), mask=exists)
