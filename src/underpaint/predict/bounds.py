"""What a person knows of a photograph bounds its mask, whatever network predicts it."""

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
    """The classes that hints leave to every pixel of a photograph.

    Args:
        candidates: Of the photograph at its own size, with the classes in the network's order.
    """

    candidates: Candidates

    def allowed(self, area: Area, device: torch.device) -> Tensor:
        """(C, h, w) bool: the classes that each pixel of an area may have; one or more everywhere."""
        top, bottom, left, right = area
        index = torch.from_numpy(self.candidates.index[top:bottom, left:right].astype(np.int64)).to(device)
        return torch.from_numpy(np.ascontiguousarray(self.candidates.sets.T)).to(device)[:, index]


def within(scores: Tensor, allowed: Tensor | None) -> Tensor:
    """(..., C, h, w) class scores, minus infinity where a class is ruled out: its probability becomes exactly 0."""
    return scores if allowed is None else scores.masked_fill(~allowed, -torch.inf)


def kept_within(sharpened: Tensor, before: Tensor, allowed: Tensor | None) -> Tensor:
    """(C, h, w) probabilities after a CRF that knew no bound, brought back within it, and to a sum of 1.

    Args:
        sharpened: What the CRF gave.
        before: What it was given: within the bound. Stays where the CRF leaves nothing to the allowed classes.
        allowed: (C, h, w) bool, or None for no bound.
    """
    if allowed is None:
        return sharpened
    held = sharpened * allowed
    total = held.sum(0, keepdim=True)
    return torch.where(total > 0, held / total.clamp(min=torch.finfo(total.dtype).tiny), before)


def reordered(candidates: Candidates, numbers: npt.NDArray[np.integer]) -> Candidates:
    """The candidates with the classes in another order: the class ``numbers[c]`` of theirs becomes class c."""
    return Candidates(candidates.sets[:, numbers], candidates.index)
