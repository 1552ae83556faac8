"""The softmax of bilinearly upsampled logits: what a loss at full size stands on, without the logits at full size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.errors import DataError

__all__ = ["UpsampledSoftmax", "upsampled_softmax"]


@dataclass(frozen=True)
class UpsampledSoftmax:
    """`upsampled_softmax` not yet computed: a pairwise energy makes it image by image, and never holds a whole batch.

    Args:
        logits: (N, C, h, w) floating.
        size: (H, W) wanted.

    Raises:
        DataError: logits of another form, or an empty size.
    """

    logits: Tensor
    size: tuple[int, int]

    def __post_init__(self) -> None:
        _check(self.logits, self.size)

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W) of the probabilities."""
        return torch.Size((*self.logits.shape[:2], *self.size))

    @property
    def dtype(self) -> torch.dtype:
        """Of the probabilities: float64 where the logits are, else float32."""
        return torch.promote_types(self.logits.dtype, torch.float32)

    @property
    def device(self) -> torch.device:
        """Of logits and probabilities."""
        return self.logits.device


def upsampled_softmax(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Class probabilities at another size: ``softmax(interpolate(logits, size, mode="bilinear"), dim=1)``.

    The corners are not aligned. On a CPU, float32 and half precision run compiled, in one pass each way; the backward
    pass adds straight into the coarse gradient. Agrees with torch to float32's rounding.

    Args:
        logits: (N, C, h, w); half precision is computed in float32.
        size: (H, W), larger or smaller than (h, w).

    Returns:
        (N, C, H, W), contiguous: float32, or float64 for float64 logits.

    Raises:
        DataError: logits that are not floating (N, C, h, w), or an empty size.
    """
    _check(logits, size)
    with torch.autocast(logits.device.type, enabled=False):
        working = logits.to(torch.promote_types(logits.dtype, torch.float32)).contiguous()
        if is_compiled(working):
            probabilities: Tensor = _UpsampledSoftmax.apply(working, size)
            return probabilities
        return F.interpolate(working, size=size, mode="bilinear", align_corners=False).softmax(dim=1)


def is_compiled(logits: Tensor) -> bool:
    """Whether the compiled form serves these logits; what infinities and NaN give is left to torch."""
    return logits.device.type == "cpu" and logits.dtype == torch.float32 and bool(logits.detach().sum().isfinite())


class _UpsampledSoftmax(torch.autograd.Function):
    """For contiguous, finite float32 logits on the CPU."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, size: tuple[int, int]) -> Tensor:
        from underpaint.kernels import upsampled_numba  # numba starts slowly, and few commands need it

        ctx.cells = (logits.shape[2], logits.shape[3])
        ctx.taps = upsampled_numba.Taps.of(ctx.cells, size)
        probabilities = logits.new_empty((*logits.shape[:2], *size))
        upsampled_numba.softmax(logits.detach(), ctx.taps, probabilities)
        ctx.save_for_backward(probabilities)
        return probabilities

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        from underpaint.kernels import upsampled_numba

        (probabilities,) = ctx.saved_tensors
        return upsampled_numba.pull_back(probabilities, upstream[0].contiguous(), ctx.taps, ctx.cells)[0], None


def _check(logits: Tensor, size: tuple[int, int]) -> None:
    if logits.ndim != 4 or not logits.is_floating_point() or logits.numel() == 0:
        raise DataError(f"logits are {tuple(logits.shape)} {logits.dtype}", accepted="floating (N, C, h, w), not empty")
    if len(size) != 2 or min(size) < 1:
        raise DataError(f"the size wanted is {tuple(size)}", accepted="(H, W), at least 1 each")
