"""Parameters of the dense CRF in the published methods."""

from __future__ import annotations

import math
from dataclasses import dataclass

from underpaint.core.errors import ConfigError

LEAST = 1e-5
"""Probabilities are clipped to this before the logarithm, as in all of the methods named below."""


@dataclass(frozen=True)
class CrfParameters:
    """Two Gaussian kernels and the number of iterations; sigmas in pixels and in grey levels of 0..255.

    Raises:
        ConfigError: a sigma that is not positive, fewer than 0 iterations, a compatibility that is not finite.
    """

    gaussian_xy: float
    gaussian_compat: float
    bilateral_xy: float
    bilateral_rgb: float
    bilateral_compat: float
    iterations: int = 10  # every method named below

    def __post_init__(self) -> None:
        for name in ("gaussian_xy", "bilateral_xy", "bilateral_rgb"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}", where="CrfParameters", accepted="above 0")
        if self.iterations < 0 or not math.isfinite(self.gaussian_compat + self.bilateral_compat):
            raise ConfigError(f"{self}", accepted="0 or more iterations, finite compatibilities")


PSEUDO_LABELS = CrfParameters(3, 3, 80, 13, 10)
"""Class activation maps and pseudo labels: PSA (Ahn and Kwak 2018), RRM, SC-CAM, AFA."""
RRM_MASK = CrfParameters(3, 3, 83, 5, 4)
"""The final mask of RRM (Zhang et al. 2020)."""
AVERAGED_LABELS = CrfParameters(3, 3, 30, 8, 3, iterations=5)
"""Averages of two annotations, as `local-global` makes them: they follow the photograph already, and `PSEUDO_LABELS`
smooths thin things away. Ours: chosen on annotations of 52 training photographs of MSRC-21 (benchmarks/annotations.py).
"""
LABEL_CLEANING = CrfParameters(3, 3, 50, 5, 10)
"""Cleaning of labels: IRN (Ahn et al. 2019) and AFA; from `from_labels` with a confidence of 0.7."""
DEEPLAB_MASK = CrfParameters(1, 3, 67, 3, 4)
"""The final mask of the common PyTorch DeepLab v2, BCM and CLIP-ES."""
AFA_MASK = CrfParameters(3, 3, 64, 5, 4)
"""The final mask of AFA (Ru et al. 2022) and WeCLIP."""
TOCO_MASK = CrfParameters(1, 1, 121, 5, 4)
"""The final mask of ToCo and SeCo on VOC."""
