"""The dense CRF on the probabilities of a network, after which the borders of masks follow the edges of the image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from underpaint.imagefiles.rule import picture
from underpaint.kernels.meanfield import CrfParameters, mean_field

Probabilities = npt.NDArray[np.float32]

MASK_CRF = CrfParameters(3, 3, 83, 5, 4)
"""Parameters of the dense CRF that sharpens final masks: those of RRM (Zhang et al., AAAI 2020). No others that were
tried are better on the validation splits of all three data sets (docs/crf.md)."""

LEAST = 0.02
"""A class that is nowhere in the image as probable as this takes no part: it could not win, and would take time."""


def sharpened(probabilities: Probabilities, rgb: npt.NDArray[np.uint8]) -> Probabilities:
    """Probabilities after mean-field inference with `MASK_CRF`.

    Classes below `LEAST` everywhere keep their probabilities; the others share what is left at each pixel.

    paper: Kraehenbuehl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", 2011

    Args:
        probabilities: (C, H, W), of sum 1 over the classes.
        rgb: (H, W, B) uint8 image; the CRF sees the colours for display.

    Returns:
        (C, H, W) float32 of sum 1 over the classes.

    Raises:
        DataError: The shapes do not fit, or a probability is not finite.
    """
    # The most probable class of every pixel takes part, since it has at least the mean; NaN does, to be refused.
    there = np.flatnonzero(~(probabilities.max(axis=(1, 2)) < min(LEAST, 0.5 / len(probabilities))))
    if len(there) == 1:
        return probabilities
    some = probabilities[there]
    share = some.sum(axis=0)
    made = probabilities.copy()
    made[there] = mean_field(some / share, picture(rgb), MASK_CRF) * share
    return made
