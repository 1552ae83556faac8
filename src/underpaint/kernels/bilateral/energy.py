"""The dense energy: how well the class probabilities of all pairs of similar pixels in an image agree.

The affinity of two pixels is a Gaussian of position and colour, approximated on the permutohedral lattice. One lattice
is built for each image and serves all classes and the gradient. On the CPU, float32 and half precision use the compiled
lattice; float64 and other devices use the lattice in torch.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.bilateral.coordinates import image_features
from underpaint.kernels.bilateral.lattice import Direction, Lattice
from underpaint.kernels.bilateral.lattice_torch import TorchLattice
from underpaint.kernels.quadratic import quadratic_energy


def dense_energy(
    probabilities: Tensor,
    rgb: Tensor,
    *,
    sigma_xy: float,
    sigma_rgb: float,
    gate: Tensor | None = None,
    valid: Tensor | None = None,
    gradient: Literal["exact", "reference"] = "reference",
) -> Tensor:
    """Gated dense energy ``-sum_i S_i sum_k P_ik (A P)_ik``, a plain sum: the caller weights and divides it.

    The affinity is ``A_ij = exp(-|xy_i - xy_j|² / (2 sigma_xy²) - |rgb_i - rgb_j|² / (2 sigma_rgb²))``, and the pair of
    a pixel with itself counts. The lattice gives about 0.4 to 0.6 of the exact sum, as in every published loss that
    uses it. Without a gate the energy is the dense CRF loss of Tang et al. up to a constant. A pixel that is not valid
    is left out of the lattice: it contributes nothing and gets no gradient. Callers exclude padding in this way.

    paper: Zhang et al., "Reliability Does Matter", AAAI 2020 (gate, reference gradient);
    Tang et al., "On Regularized Losses for Weakly-supervised CNN Segmentation", ECCV 2018 (gate of ones).

    Args:
        probabilities: (N, C, H, W), floating. Half precision is computed in float32.
        rgb: (N, 3, H, W) in any range. It gets no gradient.
        sigma_xy: Standard deviation of the position, in pixels of this grid, above 0.
        sigma_rgb: Standard deviation of the colour, in the units of ``rgb``, above 0.
        gate: (N, H, W), the weights S, treated as constant. None means ones.
        valid: (N, H, W) bool, the pixels to use. None means all pixels that have any probability above zero.
        gradient: "reference" is ``-2 S_i (A P)_i``, as in the code of Zhang et al.; "exact" is the gradient of the
            value, ``-S_i (A P)_i - (A' S P)_i``, which needs a second filter if there is a gate.

    Returns:
        A scalar that is zero or negative, summed in float64. Its type is float32, or float64 for float64 probabilities.

    Raises:
        DataError: shapes that do not fit together, or an image that is not finite.
        ConfigError: a standard deviation that is not positive, or an unknown gradient.
    """
    exact = gradient == "exact"
    if gradient not in ("exact", "reference"):
        raise ConfigError(f"gradient is {gradient!r}", accepted="exact, reference")
    _check(probabilities, rgb, sigma_xy, sigma_rgb)
    _check_masks(probabilities, gate, valid)

    def slope(p: Tensor) -> tuple[Tensor, None]:
        exists = p.ne(0).any(dim=1) if valid is None else valid
        lattices = _lattices(p, rgb, exists, sigma_xy, sigma_rgb)
        if gate is None:
            # P' A P = P' A' P, so the exact gradient (A + A') P gives the value as well.
            return _filter(p, lattices, "both" if exact else "forth"), None
        weight = gate.detach().to(p).unsqueeze(1)
        filtered = _filter(p, lattices, "forth").mul_(weight)
        if exact:
            filtered.add_(_filter(p * weight, lattices, "back"))
        return filtered, None

    return quadratic_energy(probabilities, slope, factor=-1 if exact else -2)


def _lattices(
    values: Tensor, rgb: Tensor, active: Tensor, sigma_xy: float, sigma_rgb: float
) -> list[Lattice | TorchLattice]:
    """One lattice for each image, compiled where float32 on the CPU allows it."""
    colours = rgb.detach().to(values.device, torch.promote_types(values.dtype, torch.float32))
    compiled = colours.device.type == "cpu" and colours.dtype == torch.float32
    lattices: list[Lattice | TorchLattice] = []
    for image, mask in zip(colours, active.flatten(1), strict=True):
        features = image_features(image, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb)
        if compiled:
            lattices.append(Lattice.build(features.numpy(), mask.numpy(), width=image.shape[-1]))
        else:
            lattices.append(TorchLattice.build(features, mask))
    return lattices


def _filter(values: Tensor, lattices: list[Lattice | TorchLattice], direction: Direction) -> Tensor:
    """Filter every image of a contiguous (N, C, H, W) with its own lattice."""
    filtered = torch.empty_like(values)
    for lattice, image, result in zip(lattices, values, filtered, strict=True):
        planes, out = image.flatten(1), result.flatten(1)  # both are views
        if isinstance(lattice, Lattice):
            lattice.filter(planes.numpy(), direction, out=out.numpy())
        else:
            out.copy_(lattice.filter(planes, direction))
    return filtered


def _check(values: Tensor, rgb: Tensor, sigma_xy: float, sigma_rgb: float) -> None:
    if values.ndim != 4 or not values.is_floating_point() or values.numel() == 0:
        raise DataError(
            f"the probabilities have shape {tuple(values.shape)} and type {values.dtype}",
            accepted="floating (N, C, H, W), not empty",
        )
    wanted = (values.shape[0], 3, *values.shape[2:])
    if tuple(rgb.shape) != wanted:
        raise DataError(
            f"rgb has shape {tuple(rgb.shape)}",
            accepted=wanted,
            fix="resize the image to the size of the probabilities (area average)",
        )
    for name, sigma in (("sigma_xy", sigma_xy), ("sigma_rgb", sigma_rgb)):
        if not 0 < sigma < float("inf"):
            raise ConfigError(f"{name} is {sigma}", accepted="a finite number above 0")


def _check_masks(values: Tensor, gate: Tensor | None, valid: Tensor | None) -> None:
    grid = (values.shape[0], *values.shape[2:])
    if gate is not None and tuple(gate.shape) != grid:
        raise DataError(f"gate has shape {tuple(gate.shape)}", accepted=grid)
    if valid is not None and (tuple(valid.shape) != grid or valid.dtype != torch.bool):
        raise DataError(f"valid has shape {tuple(valid.shape)} and type {valid.dtype}", accepted=f"bool {grid}")
