"""Losses of SC-CAM: on sub-categories of classes, and on affinities between neighbouring cells (PSA, IRN)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from underpaint.hints.rasterise import UNKNOWN
from underpaint.kernels.randomwalk import boundary_affinities, feature_affinities, half_disc
from underpaint.losses.candidates import nothing
from underpaint.losses.tags import tag_loss

Form = Literal["feature", "boundary"]
"""``feature``: likeness of two cells' embeddings (PSA). ``boundary``: no boundary between them (IRN)."""

EPS = 1e-5
"""Added to an affinity before its logarithm (PSA)."""


def affinities(embedding: Tensor, *, form: Form, radius: int) -> Tensor:
    """(O, h, w) affinities of an embedding (E, h, w) for the offsets of `half_disc`, differentiable.

    For ``boundary`` the first channel is the logit of a boundary at the cell.
    """
    if form == "feature":
        return feature_affinities(embedding, radius=radius)
    return boundary_affinities(embedding[0].sigmoid(), radius=radius)


def affinity_loss(embedding: Tensor, labels: Tensor, *, background: int | None, form: Form, radius: int) -> Tensor:
    """Cross-entropy of pairs: like ones should be alike, unlike ones not.

    ``bg/4 + fg/4 + neg/2``, each the mean over its pairs within the radius of ``-log(a + 1e-5)`` (both background; both
    of one other class) or ``-log(1 + 1e-5 - a)`` (different classes). Without a background class ``fg/2 + neg/2``.

    paper: Ahn and Kwak, CVPR 2018; with the boundary form Ahn, Cho and Kwak, CVPR 2019, without their displacements.

    Args:
        embedding: (N, E, h, w).
        labels: (N, h, w) uint8, 255 where unknown or padded.
        background: Index of the background class, or None.
        form: Of the affinity.
        radius: Reach of the pairs in cells.

    Returns:
        Scalar; a zero on the graph where no pair has two labels.
    """
    alike: list[Tensor] = []
    for each in embedding:
        alike.append(affinities(each.float(), form=form, radius=radius))
    a = torch.stack(alike)  # (N, O, h, w)
    same, other, ground = pair_kinds(labels, background=background, radius=radius)
    share = 0.5 if background is None else 0.25
    positive, negative = -torch.log(a + EPS), -torch.log(1 + EPS - a)
    return (
        share * _mean(positive, same & ~ground) + share * _mean(positive, same & ground) + 0.5 * _mean(negative, other)
    )


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp(min=1)


def pair_kinds(labels: Tensor, *, background: int | None, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which pairs have labels of the same class, of different classes, and a background at the first of the two.

    Args:
        labels: (N, h, w) uint8, 255 where unknown.
        background: Index of the background class, or None.
        radius: Reach of the pairs in cells.

    Returns:
        Three (N, O, h, w) bool, for the offsets of `half_disc`; False where the second cell lies outside.
    """
    height, width = labels.shape[-2:]
    partners = []
    for dy, dx in half_disc(radius):
        moved = torch.full_like(labels, UNKNOWN)
        tall, left, right = max(0, height - dy), max(0, -dx), max(0, dx)
        if tall and width > abs(dx):
            moved[:, :tall, left : width - right] = labels[:, dy:, right : width - left]
        partners.append(moved)
    there, here = torch.stack(partners, dim=1), labels[:, None]
    known = (here != UNKNOWN) & (there != UNKNOWN)
    ground = torch.zeros_like(known) if background is None else (here == background).expand_as(known)
    return known & (here == there), known & (here != there), ground


def subtag_loss(scores: Tensor, subtags: Tensor | None) -> Tensor:
    """`tag_loss` over sub-categories.

    paper: Chang et al., "Weakly-Supervised Semantic Segmentation via Sub-category Exploration", CVPR 2020.

    Args:
        scores: (N, C, K).
        subtags: (N, C, K) int8 as in `Batch`, or None where no image has any.
    """
    if subtags is None:
        return nothing(scores)
    return tag_loss(scores.flatten(1), (subtags == 1).flatten(1), (subtags >= 0).flatten(1))
