"""Mean-field inference in plain torch on any device: the reference of the compiled pass, and what a GPU runs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from underpaint.kernels.crf_parameters import LEAST, CrfParameters
from underpaint.kernels.lattice import image_features
from underpaint.kernels.permutohedral_torch import TorchLattice

Floats = NDArray[np.float32]


def mean_field_on(
    device: str,
    probabilities: Floats,
    image: NDArray[np.uint8],
    parameters: CrfParameters,
    compatibility: Floats | None,
) -> Floats:
    """As `meanfield.mean_field`, on a torch device."""
    planes = torch.from_numpy(np.ascontiguousarray(probabilities, dtype=np.float32)).to(device)
    rgb = torch.from_numpy(np.ascontiguousarray(image)).to(device).movedim(-1, 0).float()
    unary = planes.flatten(1).clamp(LEAST, 1).log()
    cost = None if compatibility is None else torch.from_numpy(np.ascontiguousarray(compatibility)).to(unary)
    q = torch.softmax(unary, dim=0)
    kernels = [
        (parameters.gaussian_compat, *_lattice(rgb, parameters.gaussian_xy, None)),
        (parameters.bilateral_compat, *_lattice(rgb, parameters.bilateral_xy, parameters.bilateral_rgb)),
    ]
    for _ in range(parameters.iterations):
        message = torch.zeros_like(q)
        for compat, lattice, norm in kernels:
            message.addcmul_(lattice.filter_planes(q * norm), norm, value=compat)
        q = torch.softmax(unary + message if cost is None else unary - cost @ message, dim=0)
    return np.asarray(q.view(probabilities.shape).cpu().numpy())


def _lattice(rgb: Tensor, sigma_xy: float, sigma_rgb: float | None) -> tuple[TorchLattice, Tensor]:
    """A lattice and one over the root of its sums of affinities (1, P)."""
    lattice = TorchLattice.from_planes(image_features(rgb, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb))
    sums = lattice.filter_planes(torch.ones_like(rgb[:1]).flatten(1))
    return lattice, (sums + 1e-20).rsqrt()  # the constant of the authors' code
