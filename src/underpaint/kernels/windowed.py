"""Sums over all pairs of pixels that lie in one window: the gated CRF energy, and the filter under it.

Pixel-adaptive refinement, which sums over a sparse window, is exported here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels import windowed_gpu, windowed_torch
from underpaint.kernels.adaptive import pixel_adaptive_refinement
from underpaint.kernels.gaussian import GaussianKernel, HalfWindow
from underpaint.kernels.quadratic import quadratic_energy
from underpaint.kernels.upsampled import UpsampledSoftmax

__all__ = ["Backend", "GaussianKernel", "pixel_adaptive_refinement", "windowed_energy", "windowed_filter"]

Backend = Literal["auto", "numba", "torch"]
PairSum = Callable[[Tensor, Tensor, HalfWindow, Tensor | None, Tensor | None], tuple[Tensor, Tensor]]


def windowed_energy(
    probabilities: Tensor | UpsampledSoftmax,
    rgb: Tensor,
    *,
    kernels: Sequence[GaussianKernel],
    radius: int,
    source: Tensor | None = None,
    destination: Tensor | None = None,
    compatibility: Tensor | None = None,
    backend: Backend = "auto",
) -> Tensor:
    """Pairwise energy of the gated CRF loss, as a sum that the caller divides.

    ``sum_i sum_{j in window(i), j != i} s_j d_i K_ij (1 - <y_i, y_j>)``, and with a compatibility matrix M
    ``sum_ij s_j d_i K_ij y_i' M y_j``. K is the sum of the kernels, s the source gate and d the destination gate.
    Pairs that leave the image never enter. Neither y_i nor y_j is detached. The gradient is made in the forward pass
    (one pass over the pairs), so the backward pass is one multiplication.

    paper: Obukhov et al., "Gated CRF Loss for Weakly Supervised Semantic Image Segmentation", arXiv 1906.04651, 2019;
    unlike the published code, zero padding adds no energy at the border.

    Args:
        probabilities: (N, C, H, W), any layout; half precision is computed in float32. An `UpsampledSoftmax` is
            computed on the way, in less time and memory than outside.
        rgb: (N, 3, H, W) in any range; ``sigma_rgb`` counts in its units. Gets no gradient.
        kernels: Terms of K.
        radius: Reach of the window in pixels: ``2 radius + 1`` a side.
        source: (N, H, W) bool, the pixels that may influence others; None: all.
        destination: (N, H, W) bool, the pixels that may be influenced; None: all.
        compatibility: (C, C) cost of class a beside class b, symmetric or not; None: Potts.
        backend: "auto": numba for float32 on the CPU, Triton for it on a GPU, torch for everything else; or one of
            "numba" and "torch".

    Returns:
        A scalar, summed in float64: float32, or float64 for float64 probabilities.

    Raises:
        DataError: shapes that do not fit together.
        ConfigError: no kernel, a radius below 1, or a back end that cannot serve these tensors.
    """
    _check(probabilities, rgb, source, destination)
    channels = probabilities.shape[1]
    if compatibility is not None and tuple(compatibility.shape) != (channels, channels):
        raise DataError(f"compatibility is {tuple(compatibility.shape)}", accepted=f"({channels}, {channels})")
    pair_sum, window = _select(probabilities, kernels, radius, backend)
    return quadratic_energy(probabilities, _PairForm(rgb, window, source, destination, compatibility, pair_sum))


def windowed_filter(
    values: Tensor, rgb: Tensor, *, kernels: Sequence[GaussianKernel], radius: int, backend: Backend = "auto"
) -> Tensor:
    """Weighted sum of every pixel's neighbours, ``sum_{j in window(i), j != i} K_ij v_j``.

    K is symmetric, so the gradient with respect to the values is the same filter again.

    Args:
        values: (N, C, H, W); half precision is computed in float32 and given back as it came.
        rgb: (N, 3, H, W); gets no gradient.
        kernels: Terms of K.
        radius: Reach of the window in pixels.
        backend: As in `windowed_energy`.

    Returns:
        (N, C, H, W), same type as ``values``.

    Raises:
        DataError: shapes that do not fit together.
        ConfigError: no kernel, a radius below 1, or a back end that cannot serve these tensors.
    """
    _check(values, rgb, None, None)
    pair_sum, window = _select(values, kernels, radius, backend)
    filtered: Tensor = _Filter.apply(values, rgb, window, pair_sum)
    return filtered


def _into(scratch: Tensor, pair_sum: PairSum) -> PairSum:
    """The compiled sum writes into memory that is there already; the others have no such argument."""
    from underpaint.kernels import windowed_numba  # numba starts slowly, and few commands need it

    return partial(windowed_numba.filter_pairs, out=scratch) if pair_sum is windowed_numba.filter_pairs else pair_sum


@dataclass(frozen=True)
class _PairForm:
    """The energy as a quadratic form."""

    rgb: Tensor
    window: HalfWindow
    source: Tensor | None
    destination: Tensor | None
    compatibility: Tensor | None
    pair_sum: PairSum

    @property
    def factor(self) -> float:
        return -2 if self.compatibility is None else 1

    def __call__(self, probabilities: Tensor, images: slice, scratch: Tensor) -> tuple[Tensor, Tensor | None]:
        rgb = _working(self.rgb[images], like=probabilities)
        source, destination = (None if gate is None else gate[images] for gate in (self.source, self.destination))
        if self.compatibility is not None:
            matrix = self.compatibility.detach().to(probabilities)
            return _general(probabilities, rgb, self.window, source, destination, matrix, self.pair_sum), None
        pair_sum = _into(scratch, self.pair_sum) if probabilities.device.type == "cpu" else self.pair_sum
        filtered, disagreement = pair_sum(probabilities, rgb, self.window, source, destination)
        return filtered, disagreement.sum(dtype=torch.float64)


class _Filter(torch.autograd.Function):
    """A symmetric linear map: backward is forward."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, rgb: Tensor, window: HalfWindow, pair_sum: PairSum) -> Tensor:
        ctx.colours, ctx.window, ctx.pair_sum = _working(rgb, like=values), window, pair_sum
        filtered, _ = pair_sum(_working(values), ctx.colours, window, None, None)
        return filtered.to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        filtered, _ = ctx.pair_sum(_working(upstream[0]), ctx.colours, ctx.window, None, None)
        return filtered.to(upstream[0].dtype), None, None, None


def _general(
    y: Tensor,
    rgb: Tensor,
    window: HalfWindow,
    source: Tensor | None,
    destination: Tensor | None,
    matrix: Tensor,
    pair_sum: PairSum,
) -> Tensor:
    """Gradient for a compatibility matrix.

    A pair is counted both ways round, so without gates only the symmetric part of the matrix counts, and with gates
    and a symmetric matrix both directions share one weight: one pass. Otherwise the directions are filtered apart.
    """
    if (source is None and destination is None) or torch.equal(matrix, matrix.T):
        filtered, _ = pair_sum(y, rgb, window, source, destination)
        return torch.einsum("ab,nbhw->nahw", matrix + matrix.T, filtered)
    send = y if source is None else y * source.unsqueeze(1)
    receive = y if destination is None else y * destination.unsqueeze(1)
    arriving, _ = pair_sum(send.contiguous(), rgb, window, None, None)
    leaving, _ = pair_sum(receive.contiguous(), rgb, window, None, None)
    forth = torch.einsum("ab,nbhw->nahw", matrix, arriving)
    back = torch.einsum("ba,nbhw->nahw", matrix, leaving)
    forth = forth if destination is None else forth * destination.unsqueeze(1)
    back = back if source is None else back * source.unsqueeze(1)
    return forth + back


def _working(tensor: Tensor, like: Tensor | None = None) -> Tensor:
    """Contiguous, detached, and in float32, or in float64 where the values are."""
    reference = tensor if like is None else like
    dtype = torch.float64 if reference.dtype == torch.float64 else torch.float32
    return tensor.detach().to(device=reference.device, dtype=dtype).contiguous()


def _select(
    values: Tensor | UpsampledSoftmax, kernels: Sequence[GaussianKernel], radius: int, backend: Backend
) -> tuple[PairSum, HalfWindow]:
    single = values.dtype != torch.float64
    compiled = single and values.device.type == "cpu"
    if backend not in ("auto", "numba", "torch"):
        raise ConfigError(f"backend is {backend!r}", accepted="auto, numba, torch")
    if backend == "numba" and not compiled:
        raise ConfigError(
            f"the numba back end was asked to filter {values.dtype} on {values.device}",
            accepted="float32, float16 or bfloat16 on the CPU",
            fix="use backend='auto' or 'torch'",
        )
    window = HalfWindow.of(kernels, radius=radius, height=values.shape[-2], width=values.shape[-1])
    if backend == "torch":
        return windowed_torch.filter_pairs, window
    if compiled:
        from underpaint.kernels import windowed_numba  # numba starts slowly, and few commands need it

        return windowed_numba.filter_pairs, window
    on_gpu = single and values.device.type == "cuda"
    return (windowed_gpu if on_gpu else windowed_torch).filter_pairs, window


def _check(values: Tensor | UpsampledSoftmax, rgb: Tensor, source: Tensor | None, destination: Tensor | None) -> None:
    if len(values.shape) != 4 or not values.dtype.is_floating_point or 0 in values.shape:
        raise DataError(f"values are {tuple(values.shape)} {values.dtype}", accepted="floating (N, C, H, W), not empty")
    count, _, height, width = values.shape
    if tuple(rgb.shape) != (count, 3, height, width):
        raise DataError(
            f"rgb is {tuple(rgb.shape)}",
            accepted=(count, 3, height, width),
            fix="resize the image to the resolution of the probabilities (area average)",
        )
    for name, gate in (("source", source), ("destination", destination)):
        if gate is not None and (tuple(gate.shape) != (count, height, width) or gate.dtype != torch.bool):
            raise DataError(
                f"{name} is {tuple(gate.shape)} {gate.dtype}", accepted=f"bool ({count}, {height}, {width})"
            )
