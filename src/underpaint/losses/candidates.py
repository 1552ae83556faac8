"""Cross-entropy over candidate sets: the loss that every kind of hint can stand on."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.losses.grid import at_centres
from underpaint.records import UNKNOWN, Batch, NetOutput, Terms

Balance = Literal["pixels", "images"]
"""What counts the same in a mean over a batch: every labelled pixel, or every image that has some."""

DENSE_SHARE = 0.2
"""Above this share of labelled pixels, upsampling the whole map costs less than sampling it at the pixels."""


def sample_logits(logits: Tensor, image: Tensor, row: Tensor, column: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits at single pixels of the full-size image, equal to bilinear upsampling followed by indexing.

    Args:
        logits: (N, C, h, w).
        image: (P,) int64 index of each pixel's image.
        row: (P,) int64.
        column: (P,) int64.
        size: (H, W).

    Returns:
        (P, C). Costs O(P C) instead of O(N C H W): with 3 % of the pixels labelled, most of the loss's time.
    """
    h, w = logits.shape[-2:]
    y0, y1, wy = _neighbours(row, h, size[0])
    x0, x1, wx = _neighbours(column, w, size[1])
    cells = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1]).float()  # (N h w, C)
    base = image * (h * w)
    corners = (y0 * w + x0, y0 * w + x1, y1 * w + x0, y1 * w + x1)
    weights = ((1 - wy) * (1 - wx), (1 - wy) * wx, wy * (1 - wx), wy * wx)
    where = torch.stack([base + corner for corner in corners], dim=1)  # (P, 4)
    weight = torch.stack(weights, dim=1).to(cells.dtype)
    # A bag of four cells a pixel: unlike indexing, its backward sums in a fixed order, which exact resume rests on.
    return F.embedding_bag(where, cells, per_sample_weights=weight, mode="sum")


def _neighbours(position: Tensor, cells: int, pixels: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two cells around a pixel centre and the weight of the second (corners not aligned, clamped)."""
    at = ((position.double() + 0.5) * (cells / pixels) - 0.5).clamp(min=0)
    low = at.floor().long().clamp(max=cells - 1)
    return low, (low + 1).clamp(max=cells - 1), at - low


def nothing(logits: Tensor) -> Tensor:
    """A zero that stays on the graph: what a term returns when there is nothing to learn."""
    return (logits * 0.0).sum()  # in this order: in half precision the sum may be infinite, and infinity times 0 is NaN


def seed_cross_entropy(out: NetOutput, seeds: Tensor, *, balance: Balance = "pixels") -> Tensor:
    """Mean cross-entropy over the labelled pixels of a batch (partial cross-entropy; Tang et al., CVPR 2018).

    ``-(1/P) sum_{p labelled} log softmax(z_p)[y_p]`` with z the logits at full size. Balanced by images it is the mean
    of every image's own mean: beside one mask, a thousand times as many pixels, clicks would teach nothing.

    Args:
        out: Network output; ``out.logits`` (N, C, h, w).
        seeds: (N, H, W) uint8, class index, or 255 where unknown or padded.
        balance: What counts the same.

    Returns:
        Scalar; a zero on the graph when no pixel is labelled.
    """
    labelled = seeds != UNKNOWN
    counts = labelled.flatten(1).sum(dim=1)  # (N,)
    count = int(counts.sum())
    if count == 0:
        return nothing(out.logits)
    reduction = "mean" if balance == "pixels" else "none"
    if count > DENSE_SHARE * seeds.numel():
        each = F.cross_entropy(out.upsampled().float(), seeds.long(), ignore_index=UNKNOWN, reduction=reduction)
        if reduction == "none":
            each = each[labelled]
    else:
        image, row, column = labelled.nonzero(as_tuple=True)
        logits = sample_logits(out.logits, image, row, column, out.size)
        each = F.cross_entropy(logits, seeds[labelled].long(), reduction=reduction)
    if reduction == "mean":
        return each
    return (each / counts.repeat_interleave(counts)).sum() / (counts > 0).sum()


def set_cross_entropy(out: NetOutput, batch: Batch, *, whole_image: bool, skip: Tensor | None = None) -> Tensor:
    """Mean of ``-log sum_{c in set} p_c`` over the pixels that are no seeds and have not all classes as candidates.

    Computed at the decoder's stride, with the candidates of the pixel under each cell's centre: sets with several
    classes are wide regions, so that full size would cost time and change nothing.

    Args:
        out: Network output.
        batch: Candidates and sets.
        whole_image: True takes the pixels that carry only what is known of the whole image (set 0): the absent-class
            loss, which punishes probability on classes that the image does not show. False takes all others: the
            pixels that a hint left with several candidates, such as the inside of a box.
        skip: (N, h, w) bool, cells that another loss takes, or None.

    Returns:
        Scalar; a zero on the graph when no pixel has such a set.
    """
    grid = (out.logits.shape[2], out.logits.shape[3])
    index = at_centres(batch.candidates, grid).long()  # (N, h, w)
    size = batch.sets.sum(dim=2)  # (N, S)
    several = (size > 1) & (size < batch.classes)
    several[:, 0] = size[:, 0] < batch.classes
    (several[:, 1:] if whole_image else several[:, :1]).zero_()
    use = several.gather(1, index.flatten(1)).view_as(index) & at_centres(batch.valid, grid)
    if skip is not None:
        use &= ~skip
    if not bool(use.any()):
        return nothing(out.logits)
    image = use.nonzero()[:, 0]
    logits = out.logits.permute(0, 2, 3, 1)[use].float()  # (P, C)
    allowed = batch.sets[image, index[use]]  # (P, C)
    inside = logits.masked_fill(~allowed, -torch.inf).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - inside).mean()


def candidate_terms(
    out: NetOutput,
    batch: Batch,
    *,
    set_weight: float,
    absent_weight: float,
    balance: Balance = "pixels",
    skip: Tensor | None = None,
) -> Terms:
    """The terms that every method for hints on pixels stands on.

    Args:
        out: Network output.
        batch: Candidates and sets.
        set_weight: Of the pixels that a hint left with several candidates.
        absent_weight: Of the pixels that carry only what is known of the whole image.
        balance: Of the labelled pixels.
        skip: (N, h, w) bool, cells of the decoder's grid whose sets another loss takes, or None.

    Returns:
        ``seeds``, ``sets`` and ``absent``, weighted; each a zero on the graph where it has nothing to learn.
    """
    terms = {"seeds": seed_cross_entropy(out, batch.seeds(), balance=balance)}
    for name, weight, whole_image in (("sets", set_weight, False), ("absent", absent_weight, True)):
        terms[name] = nothing(out.logits)
        if weight:
            terms[name] = weight * set_cross_entropy(out, batch, whole_image=whole_image, skip=skip)
    return terms
