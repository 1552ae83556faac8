"""Boxes on the grid of the decoder: the cells that they cover, and a loss that assumes tight boxes."""

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
        image: (B,) int64 index of the image of each box.
        label: (B,) int64 class of each box.
        rows: (B, h) bool, the rows of cells in the box.
        columns: (B, w) bool, the columns of cells in the box.
        whole: (B, 2) bool, whether the crop contains the whole height and the whole width of the box.
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
            whole=torch.stack([_within(y0, y1, height), _within(x0, x1, width)], dim=1),
        )

    @property
    def inside(self) -> Tensor:
        """(B, h, w) bool, the cells in each box."""
        return self.rows[:, :, None] & self.columns[:, None, :]

    def cover(self, images: int, classes: int) -> Tensor:
        """(N, C, h, w) bool, True if a box of the class covers the cell."""
        counts = self.rows.new_zeros((images * classes, self.rows.shape[1], self.columns.shape[1]), dtype=torch.int32)
        counts.index_add_(0, self.image * classes + self.label, self.inside.int())
        return counts.view(images, classes, *counts.shape[1:]) > 0

    @torch.no_grad()
    def explained(self, seen: Tensor) -> Tensor:
        """Find the cells at which the predicted classes fit the boxes.

        A cell fits a box if both its row and its column, within the box, contain a cell of the class of the box. A box
        is tight: if the class is missing in a whole row of it, the network has missed a part of the object.

        Args:
            seen: (N, h, w) predicted class of each cell.

        Returns:
            (N, h, w) bool, True where the cell fits every box that covers it, and outside the boxes.
        """
        inside = self.inside
        hit = inside & (seen[self.image] == self.label[:, None, None])
        missed = inside & ~(hit.any(dim=2, keepdim=True) & hit.any(dim=1, keepdim=True))
        return torch.zeros_like(seen, dtype=torch.int32).index_add_(0, self.image, missed.int()) == 0


def _between(start: Tensor, stop: Tensor, pixels: Tensor) -> Tensor:
    centres = pixels + 0.5
    return (start[:, None] <= centres) & (centres < stop[:, None])


ROUNDING = 1.0
"""Number of pixels by which a box may extend beyond its image (`Geometry.check_inside`)."""


def _within(start: Tensor, stop: Tensor, pixels: int) -> Tensor:
    return (start >= -ROUNDING) & (stop <= pixels + ROUNDING)


@dataclass(frozen=True)
class Unlabelled:
    """The P cells that lie in a box, are not padding, and have no label of their own.

    Args:
        where: (N, h, w) bool, these cells.
        label: (P, C) bool, the classes of the boxes that cover a cell.
        rest: (P, C) bool, the other candidates of a cell. With a background class this is the background; without one,
            it is every class that is not known to be absent and may have objects without a box.
    """

    where: Tensor
    label: Tensor
    rest: Tensor

    @classmethod
    def of(cls, grid: BoxGrid, batch: Batch, seeds: Tensor) -> Unlabelled:
        """The cells of a batch; ``seeds`` are its labelled pixels, see `Batch.seeds`."""
        size = (grid.rows.shape[1], grid.columns.shape[1])
        cover = grid.cover(len(batch.ids), batch.classes)
        where = cover.any(dim=1) & at_centres(batch.valid, size) & (at_centres(seeds, size) == UNKNOWN)
        image = where.nonzero()[:, 0]
        allowed = batch.sets[image, at_centres(batch.candidates, size)[where].long()]
        label = cover.movedim(1, 3)[where]
        return cls(where, label, allowed & ~label)


def projection_loss(probabilities: Tensor, grid: BoxGrid, valid: Tensor) -> Tensor:
    """Dice loss that asks for the class of a box in every row and every column of the box.

    The object of a tight box reaches into all rows and columns of the box. Let m be the largest probability of the
    class in each row of cells of a box. The loss of the rows is the dice loss against ones,
    ``1 - 2 sum m / (sum m^2 + sum 1)``, and that of the columns is the same. All are averaged. If the crop cuts a box,
    a row or column of it may show no part of the object; these are left out, and so are padded cells.

    paper: Tian et al., "BoxInst: High-Performance Instance Segmentation with Box Annotations", CVPR 2021, eq. 2.
    Departure: cells outside the boxes do not count in this loss; their cross-entropy is another term.

    Args:
        probabilities: (N, C, h, w), summing to 1 over C.
        grid: The boxes on (h, w).
        valid: (N, H, W) bool, False on padding.

    Returns:
        A scalar in [0, 1]; a zero on the graph if the crop contains no box with its whole width or height.
    """
    inside = grid.inside & at_centres(valid, (grid.rows.shape[1], grid.columns.shape[1]))[grid.image]  # (B, h, w)
    seen = torch.where(inside, probabilities[grid.image, grid.label], 0.0)
    # Each row of a box must contain the object only if the crop contains the whole width; likewise for columns.
    rows = (seen.amax(dim=2), inside.any(dim=2) & grid.whole[:, 1:])
    columns = (seen.amax(dim=1), inside.any(dim=1) & grid.whole[:, :1])
    losses = [_dice(*side) for side in (rows, columns)]
    use = torch.cat([counted.any(dim=1) for _, counted in (rows, columns)])
    if not bool(use.any()):
        return nothing(probabilities)
    return torch.cat(losses)[use].mean()


def _dice(peaks: Tensor, counted: Tensor) -> Tensor:
    """(B,) dice losses of (B, L) maxima against ones, over the places where ``counted`` is True."""
    peaks = peaks * counted
    total = (peaks * peaks).sum(dim=1) + counted.sum(dim=1)
    return 1 - 2 * peaks.sum(dim=1) / total.clamp(min=1)
