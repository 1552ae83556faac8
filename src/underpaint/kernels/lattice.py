"""Sums over all pairs of pixels of an image, in time linear in the pixels: bilateral filter and the energies on it.

The Gaussian affinity over position and colour is the permutohedral lattice's: one lattice an image, used for all
channels and for the backward pass. On the CPU float32 and half precision run compiled; float64 and other devices run
in torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.permutohedral import Lattice
from underpaint.kernels.permutohedral_torch import TorchLattice
from underpaint.kernels.quadratic import quadratic_energy
from underpaint.kernels.upsampled import UpsampledSoftmax

__all__ = ["Lattice", "bilateral_filter", "dense_energy", "normalised_cut"]

_TINY = 1e-20
"""Added to a sum of affinities before dividing by it, as in Kraehenbuehl's code; a pixel's to itself is about 0.5."""

Direction = Literal["forth", "back", "both"]
"""The map, its transpose, or the sum of the two."""


class PlaneFilter(Protocol):
    """What both lattices offer, on tensors."""

    def __call__(self, planes: Tensor, out: Tensor, direction: Direction) -> None:
        """Filter (C, P) into (C, P)."""


def bilateral_filter(
    values: Tensor, rgb: Tensor, *, sigma_xy: float, sigma_rgb: float, normalise: bool = False
) -> Tensor:
    """Sum of all pixels of the image, weighted by likeness: ``sum_j A_ij v_j``, the own pixel included.

    ``A_ij = exp(-|xy_i - xy_j|² / (2 sigma_xy²) - |rgb_i - rgb_j|² / (2 sigma_rgb²))``, approximated on the lattice.
    Unnormalised, the lattice gives about 0.4 to 0.6 of the exact sum, as in every published loss that uses it;
    normalised (divided by the filter of ones), it agrees with the exact average to about 0.003 on smooth images.

    Args:
        values: (N, C, H, W); half precision is computed in float32 and given back as it came.
        rgb: (N, 3, H, W) in any range; gets no gradient.
        sigma_xy: Pixels.
        sigma_rgb: In the units of ``rgb``.
        normalise: Divide by ``sum_j A_ij``.

    Returns:
        (N, C, H, W), differentiable in ``values``; the gradient is the exact transpose.

    Raises:
        DataError: shapes that do not fit together, or an image that is not finite.
        ConfigError: a sigma that is not positive.
    """
    filters = _filters(values, rgb, None, sigma_xy, sigma_rgb)
    total = _ones(values, filters).add_(_TINY) if normalise else None
    filtered: Tensor = _Bilateral.apply(values, filters, total)
    return filtered


def dense_energy(
    probabilities: Tensor | UpsampledSoftmax,
    rgb: Tensor,
    *,
    sigma_xy: float,
    sigma_rgb: float,
    gate: Tensor | None = None,
    valid: Tensor | None = None,
    gradient: Literal["exact", "reference"] = "reference",
) -> Tensor:
    """Gated dense energy ``-sum_i S_i sum_k P_ik (A P)_ik``, as a sum that the caller weights and divides.

    A is the unnormalised lattice affinity of `bilateral_filter`, the own pixel included. Without a gate this is the
    dense CRF loss of Tang et al. up to a constant. A pixel that is not valid does not exist: it is not put on the
    lattice, sends nothing, and gets no gradient (that is how padding is left out).

    paper: Zhang et al., "Reliability Does Matter", AAAI 2020 (gate, reference gradient);
    Tang et al., "On Regularized Losses for Weakly-supervised CNN Segmentation", ECCV 2018 (gate of ones).

    Args:
        probabilities: (N, C, H, W); half precision is computed in float32. An `UpsampledSoftmax` is computed on the
            way, in less time and memory than outside.
        rgb: (N, 3, H, W) in any range.
        sigma_xy: Pixels of this grid.
        sigma_rgb: In the units of ``rgb``.
        gate: S (N, H, W), a constant; None: ones.
        valid: (N, H, W) bool, the pixels that exist; None: those with any probability above zero.
        gradient: "reference" is ``-2 S_i (A P)_i``, as in the authors' code; "exact" is ``-S_i (A P)_i - (A' S P)_i``,
            the gradient of the value, at the price of a second filter where there is a gate.

    Returns:
        A scalar, summed in float64: float32, or float64 for float64 probabilities. Negative by construction.

    Raises:
        DataError: shapes that do not fit together, or an image that is not finite.
        ConfigError: a sigma that is not positive, or an unknown gradient.
    """
    if gradient not in ("exact", "reference"):
        raise ConfigError(f"gradient is {gradient!r}", accepted="exact, reference")
    grid = (*probabilities.shape[:1], *probabilities.shape[2:])
    if gate is not None and tuple(gate.shape) != grid:
        raise DataError(f"gate is {tuple(gate.shape)}", accepted=grid)
    if valid is not None and (tuple(valid.shape) != grid or valid.dtype != torch.bool):
        raise DataError(f"valid is {tuple(valid.shape)} {valid.dtype}", accepted=f"bool {grid}")
    _check(probabilities, rgb, sigma_xy, sigma_rgb)
    return quadratic_energy(probabilities, _DenseForm(rgb, sigma_xy, sigma_rgb, gate, valid, exact=gradient == "exact"))


def normalised_cut(probabilities: Tensor, rgb: Tensor, *, sigma_xy: float, sigma_rgb: float) -> Tensor:
    """Normalised cut ``sum_k S_k' A (1 - S_k) / (d' S_k)`` with ``d = A 1``, summed over the images.

    A class that no pixel of an image has adds nothing. Pixels whose probabilities are all zero do not exist, as in
    `dense_energy`. The quotient is free of the lattice's scale. Its gradient is exact.

    paper: Tang et al., "Normalized Cut Loss for Weakly-supervised CNN Segmentation", CVPR 2018.

    Args:
        probabilities: (N, C, H, W) that sum to one over the classes.
        rgb: (N, 3, H, W) in any range.
        sigma_xy: Pixels of this grid.
        sigma_rgb: In the units of ``rgb``.

    Returns:
        A scalar between 0 and N (C - 1), up to the lattice's error.

    Raises:
        DataError: shapes that do not fit together, or an image that is not finite.
        ConfigError: a sigma that is not positive.
    """
    present = _present(probabilities)
    filters = _filters(probabilities, rgb, present, sigma_xy, sigma_rgb)
    degree = _ones(probabilities, filters)
    soft = probabilities.to(degree.dtype)
    affine: Tensor = _Bilateral.apply(soft, filters, None)
    within = (soft * affine).sum(dim=(2, 3), dtype=torch.float64)
    whole = (soft * degree).sum(dim=(2, 3), dtype=torch.float64)
    share = torch.where(whole > 0, 1 - within / whole.clamp(min=_TINY), torch.zeros_like(whole))
    return share.sum().to(degree.dtype)


class _Bilateral(torch.autograd.Function):
    """A linear map and its transpose."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, filters: list[PlaneFilter], total: Tensor | None) -> Tensor:
        ctx.filters, ctx.total = filters, total
        filtered = _apply(_working(values), filters)
        return (filtered if total is None else filtered / total).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradient = _working(upstream[0])
        gradient = gradient if ctx.total is None else gradient / ctx.total
        return _apply(gradient, ctx.filters, "back").to(upstream[0].dtype), None, None


@dataclass(frozen=True)
class _DenseForm:
    """The dense energy as a quadratic form; lattices are built when their images come, and not kept."""

    rgb: Tensor
    sigma_xy: float
    sigma_rgb: float
    gate: Tensor | None
    valid: Tensor | None
    exact: bool

    @property
    def factor(self) -> float:
        return -1 if self.exact else -2

    def __call__(self, probabilities: Tensor, images: slice, scratch: Tensor) -> tuple[Tensor, Tensor | None]:
        exists = _present(probabilities) if self.valid is None else self.valid[images]
        filters = _filters(probabilities, self.rgb[images], exists, self.sigma_xy, self.sigma_rgb)
        if self.gate is None:
            # P' A P = P' A' P, so that the exact gradient (A + A') P gives the value as well.
            return _apply(probabilities, filters, "both" if self.exact else "forth", scratch), None
        weight = self.gate[images].detach().to(probabilities).unsqueeze(1)
        gradient = _apply(probabilities, filters, "forth", scratch).mul_(weight)
        if self.exact:
            gradient.add_(_apply(probabilities * weight, filters, "back"))
        return gradient, None


def _filters(
    values: Tensor, rgb: Tensor, active: Tensor | None, sigma_xy: float, sigma_rgb: float
) -> list[PlaneFilter]:
    """One lattice an image, behind one call for both back ends."""
    _check(values, rgb, sigma_xy, sigma_rgb)
    colours = rgb.detach().to(values.device, torch.promote_types(values.dtype, torch.float32))
    compiled = colours.device.type == "cpu" and colours.dtype == torch.float32
    filters: list[PlaneFilter] = []
    for n in range(len(colours)):
        features = image_features(colours[n], sigma_xy=sigma_xy, sigma_rgb=sigma_rgb)
        mask = None if active is None else active[n].flatten()
        if compiled:
            taken = None if mask is None else mask.numpy()
            lattice = Lattice.from_planes(features.numpy(), taken, width=colours.shape[-1])
            filters.append(_compiled(lattice))
        else:
            filters.append(_plain(TorchLattice.from_planes(features, mask)))
    return filters


def _compiled(lattice: Lattice) -> PlaneFilter:
    def filter_planes(planes: Tensor, out: Tensor, direction: Direction) -> None:
        back, both = direction == "back", direction == "both"
        lattice.filter_planes(planes.numpy(), transpose=back, both=both, out=out.numpy())

    return filter_planes


def _plain(lattice: TorchLattice) -> PlaneFilter:
    def filter_planes(planes: Tensor, out: Tensor, direction: Direction) -> None:
        out.copy_(lattice.filter_planes(planes, transpose=direction == "back"))
        if direction == "both":
            out.add_(lattice.filter_planes(planes, transpose=True))

    return filter_planes


def image_features(rgb: Tensor, *, sigma_xy: float, sigma_rgb: float | None) -> Tensor:
    """Column, row and colours of every pixel over their standard deviations: (3, H, W) into (5 or 2, H W)."""
    height, width = rgb.shape[-2:]
    row = torch.arange(height, device=rgb.device, dtype=rgb.dtype)[:, None].expand(height, width)
    column = torch.arange(width, device=rgb.device, dtype=rgb.dtype)[None].expand(height, width)
    position = torch.stack([column, row]).flatten(1) / sigma_xy
    return position if sigma_rgb is None else torch.cat([position, rgb.flatten(1) / sigma_rgb])


def _apply(
    values: Tensor, filters: list[PlaneFilter], direction: Direction = "forth", out: Tensor | None = None
) -> Tensor:
    filtered = torch.empty_like(values) if out is None else out
    for n, filter_planes in enumerate(filters):
        filter_planes(values[n].flatten(1), filtered[n].flatten(1), direction)  # both are views
    return filtered


def _ones(values: Tensor, filters: list[PlaneFilter]) -> Tensor:
    """``A 1`` (N, 1, H, W) in working precision."""
    return _apply(torch.ones_like(_working(values[:, :1])), filters)


def _present(probabilities: Tensor) -> Tensor:
    """Pixels with any probability at all (N, H, W)."""
    return probabilities.detach().ne(0).any(dim=1)


def _working(tensor: Tensor) -> Tensor:
    """Contiguous, detached, in float32 or float64."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32)).contiguous()


def _check(values: Tensor | UpsampledSoftmax, rgb: Tensor, sigma_xy: float, sigma_rgb: float) -> None:
    if len(values.shape) != 4 or not values.dtype.is_floating_point or 0 in values.shape:
        raise DataError(f"values are {tuple(values.shape)} {values.dtype}", accepted="floating (N, C, H, W), not empty")
    wanted = (values.shape[0], 3, *values.shape[2:])
    if tuple(rgb.shape) != wanted:
        raise DataError(
            f"rgb is {tuple(rgb.shape)}",
            accepted=wanted,
            fix="resize the image to the resolution of the probabilities",
        )
    for name, sigma in (("sigma_xy", sigma_xy), ("sigma_rgb", sigma_rgb)):
        if not 0 < sigma < float("inf"):
            raise ConfigError(f"{name} is {sigma}", accepted="a number above 0")
