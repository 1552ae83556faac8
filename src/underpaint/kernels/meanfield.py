"""Mean-field inference of a fully connected CRF with a smoothness kernel and an appearance kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from underpaint.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from underpaint.kernels.meanfield_numba import Kernels

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class CrfParameters:
    """The two Gaussian kernels of a dense CRF and the number of iterations.

    Args:
        gaussian_xy: Standard deviation of the smoothness kernel, in pixels, above 0.
        gaussian_compat: Weight of the smoothness kernel: the cost of two different classes beside each other.
        bilateral_xy: Standard deviation of the appearance kernel in position, in pixels, above 0.
        bilateral_rgb: Standard deviation of the appearance kernel in colour, in grey levels of 0..255, above 0.
        bilateral_compat: Weight of the appearance kernel.
        iterations: Number of mean-field iterations, 0 or more; 10 in most published methods.

    Raises:
        ConfigError: a standard deviation that is not positive, fewer than 0 iterations, or a weight that is not finite.
    """

    gaussian_xy: float
    gaussian_compat: float
    bilateral_xy: float
    bilateral_rgb: float
    bilateral_compat: float
    iterations: int = 10

    def __post_init__(self) -> None:
        for name in ("gaussian_xy", "bilateral_xy", "bilateral_rgb"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}", where="CrfParameters", accepted="above 0")
        if self.iterations < 0 or not math.isfinite(self.gaussian_compat + self.bilateral_compat):
            raise ConfigError(f"{self}", accepted="0 or more iterations, finite weights of the kernels")


@dataclass
class KeptKernels:
    """The kernels of the last image, for a caller that runs the inference on one image many times, in one thread.

    Building the kernels takes about half of the time of an inference. They need about 200 bytes per pixel.
    """

    image: NDArray[np.uint8] | None = None
    settings: tuple[CrfParameters, int] | None = None
    kernels: Kernels | None = None


def mean_field(
    probabilities: Floats, image: NDArray[np.uint8], parameters: CrfParameters, kept: KeptKernels | None = None
) -> Floats:
    """Distribution over the classes of each pixel after the iterations of mean-field inference.

    ``Q <- u exp(sum_m w_m (K_m Q)) / Z``, starting from ``Q = u / Z``, where u are the probabilities clipped to 1e-5..1
    (they need not sum to one) and ``K_m = N^-1/2 A_m N^-1/2`` with ``N = diag(A_m 1)`` is a Gaussian affinity on the
    permutohedral lattice, normalised symmetrically; the pair of a pixel with itself counts. Two different classes cost
    the same whichever they are (Potts model). Every iteration uses the same two lattices. It runs on the CPU, on
    all cores.

    paper: Kraehenbuehl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", 2011;
    the result is the same as that of the authors' library up to rounding.

    Args:
        probabilities: (C, H, W), floating.
        image: (H, W, 3) uint8 RGB, as read from the file (the mean is not subtracted).
        parameters: Kernels and iterations.
        kept: Kernels of an earlier call. They are used if they belong to this image; otherwise new ones replace them.

    Returns:
        (C, H, W) float32 that sums to one over the classes; a view with the classes innermost in memory.

    Raises:
        DataError: shapes or types that do not fit, or probabilities that are not finite.
    """
    return mean_fields([probabilities], image, parameters, kept)[0]


def mean_fields(
    distributions: Sequence[Floats],
    image: NDArray[np.uint8],
    parameters: CrfParameters,
    kept: KeptKernels | None = None,
) -> list[Floats]:
    """`mean_field` of several distributions over one image, whose lattices are built once.

    Args:
        distributions: Each (C, H, W), with the same C.
        image: (H, W, 3) uint8 RGB.
        parameters: Kernels and iterations.
        kept: As in `mean_field`.

    Returns:
        One (C, H, W) for each distribution.

    Raises:
        DataError: The same as in `mean_field`, or the distributions have different shapes.
    """
    shapes = {given.shape for given in distributions}
    if len(shapes) != 1:
        raise DataError(f"the distributions have the shapes {sorted(shapes)}", accepted="one or more, of one shape")
    for given in distributions:
        _check(given, image)
    from underpaint.kernels.meanfield_numba import infer  # numba takes long to import, and few commands need it

    return infer(distributions, image, parameters, kept)


def _check(probabilities: Floats, image: NDArray[np.uint8]) -> None:
    if probabilities.ndim != 3 or probabilities.size == 0 or not np.issubdtype(probabilities.dtype, np.floating):
        raise DataError(
            f"the probabilities have shape {probabilities.shape} and type {probabilities.dtype}",
            accepted="floating (C, H, W), not empty",
        )
    size = probabilities.shape[1:]
    if image.dtype != np.uint8 or image.shape != (*size, 3):
        raise DataError(
            f"the image has shape {image.shape} and type {image.dtype}",
            accepted=f"uint8 {(*size, 3)}",
            fix="give the RGB image as read from its file, resized together with the probabilities",
        )
    if not np.isfinite(probabilities).all():
        raise DataError("the probabilities are not all finite", fix="search the output of the network for NaN")
