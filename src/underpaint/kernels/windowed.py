"""The gated CRF energy: a sum over all pairs of pixels that are close enough to lie in one square window."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels import windowed_torch
from underpaint.kernels.gaussian import GaussianKernel, HalfWindow
from underpaint.kernels.quadratic import quadratic_energy

__all__ = ["Backend", "GaussianKernel", "windowed_energy", "windowed_sum"]

Backend = Literal["auto", "numba", "torch"]
PairSum = Callable[[Tensor, Tensor, HalfWindow, Tensor | None, Tensor | None], tuple[Tensor, Tensor]]

_log = logging.getLogger("underpaint")
_triton_failures: list[str] = []


def windowed_energy(
    probabilities: Tensor,
    rgb: Tensor,
    *,
    kernels: Sequence[GaussianKernel],
    radius: int,
    source: Tensor | None = None,
    destination: Tensor | None = None,
    backend: Backend = "auto",
) -> Tensor:
    """Pairwise energy of the gated CRF loss, a plain sum: the caller divides it.

    ``sum_i sum_{j in window(i), j != i} s_j d_i K_ij (1 - <y_i, y_j>)``, where K is the sum of the kernels, s the
    source gate and d the destination gate. Pairs with an end outside the image do not count. The gradient flows through
    both y_i and y_j. It is computed in the same pass over the pairs, so that the backward pass is one multiplication.

    paper: Obukhov et al., "Gated CRF Loss for Weakly Supervised Semantic Image Segmentation", arXiv 1906.04651, 2019.
    Departure: the published code pads the image with zeros, which adds energy at the border; here it does not.

    Args:
        probabilities: (N, C, H, W), floating, any layout. Half precision is computed in float32.
        rgb: (N, 3, H, W) in any range; ``sigma_rgb`` is in its units. It gets no gradient.
        kernels: Terms of K.
        radius: Reach of the window in pixels; a window has ``2 radius + 1`` pixels a side.
        source: (N, H, W) bool, the pixels that may influence others; None means all.
        destination: (N, H, W) bool, the pixels that others may influence; None means all.
        backend: "auto" takes numba for float32 on the CPU, Triton for float32 on a GPU, and torch otherwise. "numba"
            and "torch" ask for one of them.

    Returns:
        A scalar, summed in float64. Its type is float32, or float64 for float64 probabilities.

    Raises:
        DataError: shapes that do not fit together.
        ConfigError: no kernel, a radius below 1, or a back end that cannot serve these tensors.
    """
    _check(probabilities, rgb, source, destination)
    pair_sum = _pair_sum(probabilities, backend)
    height, width = probabilities.shape[2:]
    window = HalfWindow.of(kernels, radius=radius, height=height, width=width)

    def slope(y: Tensor) -> tuple[Tensor, Tensor]:
        filtered, disagreement = pair_sum(y, rgb.detach().to(y).contiguous(), window, source, destination)
        return filtered, disagreement.sum(dtype=torch.float64)

    return quadratic_energy(probabilities, slope, factor=-2)


@torch.no_grad()
def windowed_sum(
    values: Tensor, rgb: Tensor, *, kernels: Sequence[GaussianKernel], radius: int, gate: Tensor | None = None
) -> Tensor:
    """Sum of the neighbours of every pixel, ``sum_{j in window(i), j != i} g_i g_j K_ij v_j``, without a gradient.

    It is the message that every pixel receives in mean-field inference under the energy of `windowed_energy`.

    Args:
        values: (N, C, H, W), floating. Half precision is computed in float32.
        rgb: (N, 3, H, W) in any range; ``sigma_rgb`` is in its units.
        kernels: Terms of K.
        radius: Reach of the window in pixels.
        gate: (N, H, W) bool, the pixels that take part; None means all.

    Returns:
        (N, C, H, W), float32, or float64 for float64 values.

    Raises:
        DataError, ConfigError: The same as in `windowed_energy`.
    """
    _check(values, rgb, gate, gate)
    working = values.to(torch.promote_types(values.dtype, torch.float32)).contiguous()
    window = HalfWindow.of(kernels, radius=radius, height=values.shape[2], width=values.shape[3])
    with torch.autocast(working.device.type, enabled=False):
        filtered, _ = _pair_sum(working, "auto")(working, rgb.to(working).contiguous(), window, gate, gate)
    return filtered


def _pair_sum(values: Tensor, backend: Backend) -> PairSum:
    """The function that sums over the pairs for this type and device."""
    single = values.dtype != torch.float64
    compiled = single and values.device.type == "cpu"
    if backend not in ("auto", "numba", "torch"):
        raise ConfigError(f"backend is {backend!r}", accepted="auto, numba, torch")
    if backend == "numba" and not compiled:
        raise ConfigError(
            f"the numba back end cannot sum {values.dtype} on {values.device}",
            accepted="float32, float16 or bfloat16 on the CPU",
            fix="use backend='auto' or 'torch'",
        )
    if backend == "torch":
        return windowed_torch.filter_pairs
    if compiled:
        from underpaint.kernels import windowed_numba  # numba takes long to import, and few commands need it

        return windowed_numba.filter_pairs
    return filter_pairs_on_gpu if single and values.device.type == "cuda" else windowed_torch.filter_pairs


def filter_pairs_on_gpu(
    values: Tensor, rgb: Tensor, window: HalfWindow, source: Tensor | None, destination: Tensor | None
) -> tuple[Tensor, Tensor]:
    """As `windowed_torch.filter_pairs`, for float32 tensors on a GPU: Triton if it works, else torch.

    Triton needs a C compiler and talks to the driver, so that it can fail where torch works. Then torch takes over for
    the rest of the process, and one warning says so.
    """
    if not _triton_failures and importlib.util.find_spec("triton") is not None:
        try:
            triton = importlib.import_module("underpaint.kernels.windowed_triton")
            filtered, disagreement = triton.filter_pairs(values, rgb, window, source, destination)
        except Exception as error:
            _triton_failures.append(str(error))
            _log.warning("Triton does not work here, so torch is used instead (several times slower): %s", error)
        else:
            return filtered, disagreement
    return windowed_torch.filter_pairs(values, rgb, window, source, destination)


def _check(values: Tensor, rgb: Tensor, source: Tensor | None, destination: Tensor | None) -> None:
    if values.ndim != 4 or not values.is_floating_point() or values.numel() == 0:
        raise DataError(
            f"the probabilities have shape {tuple(values.shape)} and type {values.dtype}",
            accepted="floating (N, C, H, W), not empty",
        )
    count, _, height, width = values.shape
    if tuple(rgb.shape) != (count, 3, height, width):
        raise DataError(
            f"rgb has shape {tuple(rgb.shape)}",
            accepted=(count, 3, height, width),
            fix="resize the image to the size of the probabilities (area average)",
        )
    for name, gate in (("source", source), ("destination", destination)):
        if gate is not None and (tuple(gate.shape) != (count, height, width) or gate.dtype != torch.bool):
            raise DataError(
                f"{name} has shape {tuple(gate.shape)} and type {gate.dtype}",
                accepted=f"bool ({count}, {height}, {width})",
            )
