"""Energies that are quadratic in the probabilities. The forward pass already computes the gradient.

The backward pass is then one multiplication.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Slope = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""From contiguous (N, C, H, W) in float32 or float64 to the gradient, up to a constant factor, and the energy in
float64. The energy is None where it is ``factor / 2 <probabilities, gradient>``."""


def quadratic_energy(probabilities: Tensor, slope: Slope, *, factor: float) -> Tensor:
    """Energy of a batch, differentiable once in the probabilities.

    Args:
        probabilities: (N, C, H, W), floating, any layout; half precision is computed in float32.
        slope: Computes gradient and energy.
        factor: The gradient of ``slope`` has to be multiplied by this.

    Returns:
        A scalar: float32, or float64 for float64 probabilities.
    """
    energy: Tensor = _Quadratic.apply(probabilities, slope, factor)
    return energy


class _Quadratic(torch.autograd.Function):
    """An energy whose gradient is stored by the forward pass."""

    @staticmethod
    def forward(ctx: Any, probabilities: Tensor, slope: Slope, factor: float) -> Tensor:
        working = probabilities.detach().to(torch.promote_types(probabilities.dtype, torch.float32)).contiguous()
        with torch.autocast(working.device.type, enabled=False):
            gradient, energy = slope(working)
        if energy is None:
            energy = factor / 2 * _dot(working, gradient)
        ctx.save_for_backward(gradient)
        ctx.factor, ctx.dtype = factor, probabilities.dtype
        return energy.to(working.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (gradient * (ctx.factor * upstream[0])).to(ctx.dtype), None, None


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Sum of the products of all elements; the classes are summed in working precision, the pixels in float64."""
    total = torch.zeros_like(a[:, 0])
    for channel in range(a.shape[1]):  # The product of whole tensors would need as much memory again; einsum is slow.
        total.addcmul_(a[:, channel], b[:, channel])
    return total.sum(dtype=torch.float64)
