"""Energies that are quadratic in the probabilities: their gradient is ready with the value.

The backward pass is one multiplication. For the softmax of upsampled logits the chain rule is applied in the forward
pass as well, image by image: neither the probabilities nor their gradient ever exist for a whole batch, and what is
kept for the backward pass has the size of the logits.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from underpaint.kernels.upsampled import UpsampledSoftmax, is_compiled, upsampled_softmax

_GROUP = 2_000_000
"""Probabilities that are worked on together, about: 8 MB, and as much for their gradient, stay in a shared cache."""


class Form(Protocol):
    """One quadratic energy of a batch."""

    @property
    def factor(self) -> float:
        """What the gradient still has to be multiplied with."""

    def __call__(self, probabilities: Tensor, images: slice, scratch: Tensor) -> tuple[Tensor, Tensor | None]:
        """Gradient, up to the factor, and energy of some images.

        Args:
            probabilities: (n, C, H, W) of those images, contiguous float32 or float64.
            images: Which of the batch they are.
            scratch: As ``probabilities``, not initialised; the gradient may be written there.

        Returns:
            Gradient (n, C, H, W), and the sum of the images' energies in float64, or None where it is
            ``factor / 2 <probabilities, gradient>``.
        """


def quadratic_energy(probabilities: Tensor | UpsampledSoftmax, form: Form) -> Tensor:
    """Energy of a batch on the graph of its probabilities, or of the logits under them.

    Returns:
        A scalar: float32, or float64 for float64 probabilities.
    """
    given, size = (
        (probabilities, None) if isinstance(probabilities, Tensor) else (probabilities.logits, probabilities.size)
    )
    energy: Tensor = _Quadratic.apply(given, size, form)
    return energy


class _Quadratic(torch.autograd.Function):
    """Energy whose gradient is stored by the forward pass."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, size: tuple[int, int] | None, form: Form) -> Tensor:
        working = given.detach().to(torch.promote_types(given.dtype, torch.float32)).contiguous()
        with torch.autocast(working.device.type, enabled=False):
            if size is None:
                gradient, energy = _whole(working, form)
            elif is_compiled(working):
                gradient, energy = _by_image(working, size, form)
            else:
                leaf = working.requires_grad_()
                with torch.enable_grad():
                    probabilities = upsampled_softmax(leaf, size)
                slope, energy = _whole(probabilities.detach(), form)
                (gradient,) = torch.autograd.grad(probabilities, leaf, slope)
        ctx.save_for_backward(gradient)
        ctx.factor, ctx.dtype = form.factor, given.dtype
        return energy.to(working.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (gradient * (ctx.factor * upstream[0])).to(ctx.dtype), None, None


def _whole(probabilities: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """Gradient and energy of all images at once."""
    gradient, energy = form(probabilities, slice(0, len(probabilities)), torch.empty_like(probabilities))
    return gradient, form.factor / 2 * _dot(probabilities, gradient) if energy is None else energy


def _by_image(logits: Tensor, size: tuple[int, int], form: Form) -> tuple[Tensor, Tensor]:
    """Gradient with respect to the logits, and energy, through two buffers of a few images.

    Memory that is touched for the first time costs more than the sums: fresh tensors of a whole batch would take as
    long as softmax, upsampling and their gradients together.
    """
    from underpaint.kernels import upsampled_numba  # numba starts slowly, and few commands need it

    count, channels, *cells = logits.shape
    taps = upsampled_numba.Taps.of((cells[0], cells[1]), size)
    group = min(count, max(1, _GROUP // (channels * size[0] * size[1])))
    buffers = logits.new_empty((2, group, channels, *size))
    gradient, total = torch.empty_like(logits), torch.zeros((), dtype=torch.float64)
    for start in range(0, count, group):
        images = slice(start, min(count, start + group))
        probabilities, scratch = buffers[:, : images.stop - start]
        upsampled_numba.softmax(logits[images], taps, probabilities)
        slope, energy = form(probabilities, images, scratch)
        gradient[images], inner = upsampled_numba.pull_back(probabilities, slope, taps, (cells[0], cells[1]))
        total += form.factor / 2 * inner if energy is None else energy
    return gradient, total


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Sum of products over all axes; the classes of a pixel in working precision, the pixels in float64."""
    total = torch.zeros_like(a[:, 0])
    for channel in range(a.shape[1]):  # a product of all would be another tensor of that size, einsum a slow one
        total.addcmul_(a[:, channel], b[:, channel])
    return total.sum(dtype=torch.float64)
