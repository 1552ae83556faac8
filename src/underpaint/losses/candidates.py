"""Cross-entropy over sets of candidate classes, a loss for every kind of hint, and cross-entropy with soft labels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.losses.grid import at_centres
from underpaint.records import UNKNOWN, Batch, NetOutput, Terms

Balance = Literal["pixels", "images"]
"""Mean over a batch: every labelled pixel has the same weight, or every image with labelled pixels has."""

DENSE_SHARE = 0.2
"""If more than this share of the pixels is labelled, upsampling the whole map is faster than sampling the pixels."""


def sample_logits(logits: Tensor, image: Tensor, row: Tensor, column: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits at single pixels of the full-size image: the result of bilinear upsampling followed by indexing.

    Args:
        logits: (N, C, h, w).
        image: (P,) int64 index of the image of each pixel.
        row: (P,) int64 row at full size.
        column: (P,) int64 column at full size.
        size: (H, W), the full size.

    Returns:
        (P, C) float32. The cost is O(P C) instead of O(N C H W), which saves most of the time of the loss if 3 % of the
        pixels are labelled.
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
    # Each pixel is a bag of four cells. The backward pass of a bag sums in a fixed order, that of indexing does not; an
    # exact resume needs the fixed order.
    return F.embedding_bag(where, cells, per_sample_weights=weight, mode="sum")


def _neighbours(position: Tensor, cells: int, pixels: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two cells around the centre of a pixel, and the weight of the second (corners not aligned, clamped)."""
    at = ((position.double() + 0.5) * (cells / pixels) - 0.5).clamp(min=0)
    low = at.floor().long().clamp(max=cells - 1)
    return low, (low + 1).clamp(max=cells - 1), at - low


def nothing(logits: Tensor) -> Tensor:
    """A zero that depends on the logits: the value of a loss term without targets. Its gradient is zero."""
    # Multiply before the sum: in half precision the sum of the logits may be infinite, and infinity times 0 is NaN.
    return (logits * 0.0).sum()


def seed_cross_entropy(out: NetOutput, seeds: Tensor, *, balance: Balance = "pixels") -> Tensor:
    """Mean cross-entropy over the labelled pixels of a batch (partial cross-entropy; Tang et al., CVPR 2018).

    ``-(1/P) sum_{p labelled} log softmax(z_p)[y_p]`` with z the logits at full size. With the balance "images" it is
    the mean over the images of the mean over the labelled pixels of each image. Otherwise a single mask, which has a
    thousand times as many labelled pixels as a few clicks, would leave the clicks without influence.

    Args:
        out: Network output; ``out.logits`` (N, C, h, w).
        seeds: (N, H, W) uint8, class index, or 255 where the pixel is unknown or padding.
        balance: Whether pixels or images have the same weight.

    Returns:
        A scalar; a zero on the graph if no pixel is labelled.
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
    """Mean of ``-log sum_{c in set} p_c`` over unlabelled pixels whose candidates are not all classes.

    It is computed on the grid of the decoder, with the candidates of the pixel under the centre of each cell. Pixels
    with several candidates form large regions, so that full size would take time and change almost nothing.

    Args:
        out: Network output.
        batch: Candidates and sets.
        whole_image: True uses the pixels with set 0, the classes that are possible anywhere in the image. This is the
            absent-class loss, which reduces the probability of classes that the image does not show. False uses all
            other pixels: those for which a hint leaves several candidates, such as the inside of a box.
        skip: (N, h, w) bool, cells that another loss uses, or None.

    Returns:
        A scalar; a zero on the graph if no pixel has such a set.
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


def soft_cross_entropy(out: NetOutput, soft: Tensor, valid: Tensor) -> Tensor:
    """``-(1/S) sum_p sum_k s_pk log softmax(z_p)[k]`` over the cells of the decoder's grid; S is the sum of all s_pk.

    The soft labels are averaged over each cell. Stored soft labels have no finer resolution than the grid.

    Args:
        out: Network output, logits (N, C, h, w).
        soft: (N, C, H, W) in [0, 1], summing to 1 over C at labelled pixels and to 0 elsewhere.
        valid: (N, H, W) bool, False on padding.

    Returns:
        A scalar; a zero on the graph if no pixel is labelled.
    """
    size = (out.logits.shape[2], out.logits.shape[3])
    cells = F.adaptive_avg_pool2d(soft * valid[:, None], size)
    total = cells.sum()
    if float(total) == 0:
        return nothing(out.logits)
    return -(cells * out.logits.float().log_softmax(dim=1)).sum() / total


def candidate_terms(
    out: NetOutput,
    batch: Batch,
    *,
    set_weight: float,
    absent_weight: float,
    balance: Balance = "pixels",
    skip: Tensor | None = None,
) -> Terms:
    """The loss terms that all methods for hints on pixels share.

    Args:
        out: Network output.
        batch: Candidates and sets.
        set_weight: Weight of the pixels for which a hint leaves several candidates.
        absent_weight: Weight of the pixels of which only the possible classes of the whole image are known.
        balance: Whether labelled pixels or images have the same weight.
        skip: (N, h, w) bool, cells of the grid of the decoder that another loss uses instead of ``sets`` and
            ``absent``, or None.

    Returns:
        The weighted terms ``seeds``, ``sets`` and ``absent``; a term without targets is a zero on the graph.
    """
    terms = {"seeds": seed_cross_entropy(out, batch.seeds(), balance=balance)}
    for name, weight, whole_image in (("sets", set_weight, False), ("absent", absent_weight, True)):
        terms[name] = nothing(out.logits)
        if weight:
            terms[name] = weight * set_cross_entropy(out, batch, whole_image=whole_image, skip=skip)
    return terms
