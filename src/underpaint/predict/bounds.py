"""Restricts predicted masks to the classes that the hints of an image allow, for every network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from underpaint.hints.candidates import Candidates
from underpaint.predict.blend import Area


@dataclass(frozen=True)
class Bound:
    """The classes that the hints of an image allow at each of its pixels.

    Args:
        candidates: Candidate sets at the image's own size, with the classes in the network's order.
    """

    candidates: Candidates

    def allowed(self, area: Area, device: torch.device) -> Tensor:
        """(C, h, w) bool, the classes that each pixel of an area may have; at least one at every pixel."""
        top, bottom, left, right = area
        index = torch.from_numpy(self.candidates.index[top:bottom, left:right].astype(np.int64)).to(device)
        return torch.from_numpy(np.ascontiguousarray(self.candidates.sets.T)).to(device)[:, index]


def within(scores: Tensor, allowed: Tensor | None) -> Tensor:
    """(..., C, h, w) class scores, set to minus infinity where a class is not allowed, so that its probability is 0."""
    return scores if allowed is None else scores.masked_fill(~allowed, -torch.inf)


def kept_within(sharpened: Tensor, before: Tensor, allowed: Tensor | None) -> Tensor:
    """Set the probabilities of classes that are not allowed to 0 after a CRF, and normalise the others to a sum of 1.

    Args:
        sharpened: (C, h, w) probabilities after the CRF.
        before: (C, h, w) probabilities before the CRF, 0 for classes that are not allowed. They are used at pixels
            where the CRF gives all allowed classes the probability 0.
        allowed: (C, h, w) bool, or None if all classes are allowed.

    Returns:
        (C, h, w) probabilities.
    """
    if allowed is None:
        return sharpened
    held = sharpened * allowed
    total = held.sum(0, keepdim=True)
    return torch.where(total > 0, held / total.clamp(min=torch.finfo(total.dtype).tiny), before)


def reordered(candidates: Candidates, numbers: npt.NDArray[np.integer]) -> Candidates:
    """Change the order of the classes in candidate sets: class ``numbers[c]`` becomes class c."""
    return Candidates(candidates.sets[:, numbers], candidates.index)
