"""Losses on image-level tags."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from underpaint.losses.candidates import nothing


def tag_loss(scores: Tensor, tags: Tensor, known: Tensor) -> Tensor:
    """Multi-label soft margin loss ``-mean(y log s(x) + (1 - y) log(1 - s(x)))`` over the known tags; s is the sigmoid.

    If all tags are known, this is `torch.nn.functional.multilabel_soft_margin_loss`, which PSA, RRM and SC-CAM use.

    Args:
        scores: (N, T) logits of T tags.
        tags: (N, T) bool, tags known to apply.
        known: (N, T) bool, tags that are known to apply or known not to apply.

    Returns:
        A scalar; a zero on the graph if no tag is known.
    """
    count = known.sum()
    if int(count) == 0:
        return nothing(scores)
    each = F.binary_cross_entropy_with_logits(scores.float(), tags.float(), reduction="none")
    return (each * known).sum() / count


def class_tag_loss(scores: Tensor, tags: Tensor, known: Tensor, *, background: int | None) -> Tensor:
    """`tag_loss` over all classes except the background.

    Nearly every image shows the background, so that its tag cannot be learned from a comparison of images.

    Args:
        scores: (N, C) logits of the classes.
        tags: (N, C) bool, classes known to be in the image.
        known: (N, C) bool, classes known to be in the image or not to be in it.
        background: Index of the background class, or None.
    """
    if background is not None:
        known = known.clone()
        known[:, background] = False
    return tag_loss(scores, tags, known)
