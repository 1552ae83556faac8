"""Boxes on the decoder's grid: which cells they cover, and what follows from a box being tight."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from underpaint.losses.candidates import nothing
from underpaint.losses.grid import at_centres, centre_pixels
from underpaint.records import UNKNOWN, Batch


@dataclass(frozen=True)
class BoxGrid:
    """The B boxes of a batch on a grid of h x w cells.

    A cell lies in a box if the pixel under its centre does, by the rule of `underpaint.hints.rasterise.box_slices`.

    Args:
        image: (B,) int64.
        label: (B,) int64 classes.
        rows: (B, h) bool.
        columns: (B, w) bool.
        whole: (B, 2) bool, whether the crop shows the box's whole height, and its whole width.
    """

    image: Tensor
    label: Tensor
    rows: Tensor
    columns: Tensor
    whole: Tensor

    @classmethod
    def of(cls, batch: Batch, size: tuple[int, int]) -> BoxGrid:
        """The boxes of a batch on the cells of a grid (h, w)."""
        boxes, label = torch.cat(batch.boxes), torch.cat(batch.box_classes)
        counts = torch.tensor([len(each) for each in batch.boxes], device=boxes.device)
        image = torch.arange(len(counts), device=boxes.device).repeat_interleave(counts)
        height, width = batch.valid.shape[1:]
        x0, y0, x1, y1 = boxes.unbind(dim=1)
        return cls(
            image=image,
            label=label,
            rows=_between(y0, y1, centre_pixels(size[0], height, boxes.device)),
            columns=_between(x0, x1, centre_pixels(size[1], width, boxes.device)),
            whole=torch.stack([_shown(y0, y1, height), _shown(x0, x1, width)], dim=1),
        )

    @property
    def inside(self) -> Tensor:
        """(B, h, w) bool."""
        return self.rows[:, :, None] & self.columns[:, None, :]

    def cover(self, images: int, classes: int) -> Tensor:
        """(N, C, h, w) bool: classes whose boxes cover a cell."""
        counts = self.rows.new_zeros((images * classes, self.rows.shape[1], self.columns.shape[1]), dtype=torch.int32)
        counts.index_add_(0, self.image * classes + self.label, self.inside.int())
        return counts.view(images, classes, *counts.shape[1:]) > 0

    @torch.no_grad()
    def explained(self, seen: Tensor) -> Tensor:
        """(N, h, w) bool: cells whose row and whose column, in every box that covers them, show a cell of its class.

        A box is tight: where a whole row of it shows nothing, the network has missed a part of the object, or all.

        Args:
            seen: (N, h, w) class of each cell.
        """
        inside = self.inside
        hit = inside & (seen[self.image] == self.label[:, None, None])
        missed = inside & ~(hit.any(dim=2, keepdim=True) & hit.any(dim=1, keepdim=True))
        return torch.zeros_like(seen, dtype=torch.int32).index_add_(0, self.image, missed.int()) == 0


def _between(start: Tensor, stop: Tensor, pixels: Tensor) -> Tensor:
    centres = pixels + 0.5
    return (start[:, None] <= centres) & (centres < stop[:, None])


ROUNDING = 1.0
"""Pixels by which boxes may leave their image (`Geometry.check_inside`)."""


def _shown(start: Tensor, stop: Tensor, pixels: int) -> Tensor:
    return (start >= -ROUNDING) & (stop <= pixels + ROUNDING)


@dataclass(frozen=True)
class Unlabelled:
    """The P cells that lie in a box, on the photograph, and have no label of their own.

    Args:
        where: (N, h, w) bool.
        label: (P, C) bool, classes of the boxes that cover a cell.
        rest: (P, C) bool, what else it may be: its other candidates. With a background class that is the background;
            without, every class that is not completely boxed and not known to be absent.
    """

    where: Tensor
    label: Tensor
    rest: Tensor

    @classmethod
    def of(cls, grid: BoxGrid, batch: Batch, seeds: Tensor) -> Unlabelled:
        """The cells of a batch whose `Batch.seeds` are ``seeds``."""
        size = (grid.rows.shape[1], grid.columns.shape[1])
        cover = grid.cover(len(batch.ids), batch.classes)
        where = cover.any(dim=1) & at_centres(batch.valid, size) & (at_centres(seeds, size) == UNKNOWN)
        image = where.nonzero()[:, 0]
        allowed = batch.sets[image, at_centres(batch.candidates, size)[where].long()]
        label = cover.movedim(1, 3)[where]
        return cls(where, label, allowed & ~label)


def projection_loss(probabilities: Tensor, grid: BoxGrid, valid: Tensor) -> Tensor:
    """How far from 1 the largest probability is in some row or column of a tight box, which all show its object.

    For each box, m is the largest probability of its class in each row of its cells, and in each column. Of both, the
    dice loss against ones, ``1 - 2 sum m / (sum m^2 + sum 1)``, is averaged over the boxes. A box that the crop cuts at
    a side has rows (or columns) whose object may lie outside; these are left out, as are cells on padding.

    paper: Tian et al., "BoxInst: High-Performance Instance Segmentation with Box Annotations", CVPR 2021, eq. 2; what
    lies outside the boxes is left to the cross-entropy there.

    Args:
        probabilities: (N, C, h, w).
        grid: The boxes on (h, w).
        valid: (N, H, W) bool.

    Returns:
        Scalar in [0, 1]; a zero on the graph where no box has a whole side.
    """
    inside = grid.inside & at_centres(valid, (grid.rows.shape[1], grid.columns.shape[1]))[grid.image]  # (B, h, w)
    seen = torch.where(inside, probabilities[grid.image, grid.label], 0.0)
    # A row's maximum is known to be an object's only where the crop shows the whole width; a column's: the height.
    rows = (seen.amax(dim=2), inside.any(dim=2) & grid.whole[:, 1:])
    columns = (seen.amax(dim=1), inside.any(dim=1) & grid.whole[:, :1])
    losses = [_dice(*side) for side in (rows, columns)]
    use = torch.cat([held.any(dim=1) for _, held in (rows, columns)])
    if not bool(use.any()):
        return nothing(probabilities)
    return torch.cat(losses)[use].mean()


def _dice(peaks: Tensor, held: Tensor) -> Tensor:
    """(B,) dice losses of (B, L) maxima against ones, over the places that are held."""
    peaks = peaks * held
    total = (peaks * peaks).sum(dim=1) + held.sum(dim=1)
    return 1 - 2 * peaks.sum(dim=1) / total.clamp(min=1)
