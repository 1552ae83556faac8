"""Losses of SC-CAM on sub-categories of classes and on affinities between neighbouring cells (PSA, IRN)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.config import Config
from underpaint.hints.rasterise import UNKNOWN
from underpaint.kernels.randomwalk import boundary_affinities, feature_affinities, half_disc
from underpaint.losses.candidates import nothing
from underpaint.losses.tags import class_tag_loss, tag_loss
from underpaint.methods.stage import Learner
from underpaint.records import Batch, Head, NetOutput, Progress, Terms

Form = Literal["feature", "boundary"]
"""``feature``: similarity of the embeddings of two cells (PSA). ``boundary``: absence of a boundary between them
(IRN)."""

EPS = 1e-5
"""Added to an affinity before its logarithm (PSA)."""


def affinities(embedding: Tensor, *, form: Form, radius: int) -> Tensor:
    """(O, h, w) affinities of an embedding (E, h, w) for the offsets of `half_disc`; they are differentiable.

    In the form ``boundary``, the first channel is the logit of a boundary at the cell.
    """
    if form == "feature":
        return feature_affinities(embedding, radius=radius)
    return boundary_affinities(embedding[0].sigmoid(), radius=radius)


def affinity_loss(embedding: Tensor, labels: Tensor, *, background: int | None, form: Form, radius: int) -> Tensor:
    """Cross-entropy of pairs: cells of the same class should have a high affinity, other pairs a low one.

    The loss is ``bg/4 + fg/4 + neg/2``. Each term is a mean over its pairs within the radius: bg is ``-log(a + 1e-5)``
    of pairs of background cells, fg the same of pairs of one other class, and neg ``-log(1 + 1e-5 - a)`` of pairs of
    different classes. Without a background class it is ``fg/2 + neg/2``.

    paper: Ahn and Kwak, CVPR 2018; the boundary form: Ahn, Cho and Kwak, CVPR 2019, without their displacements.

    Args:
        embedding: (N, E, h, w).
        labels: (N, h, w) uint8, 255 for unknown or padded cells.
        background: Index of the background class, or None.
        form: Form of the affinity.
        radius: Largest distance of a pair in cells.

    Returns:
        A scalar; a zero on the graph if no pair has two labels.
    """
    a = torch.stack([affinities(each.float(), form=form, radius=radius) for each in embedding])  # (N, O, h, w)
    same, other, ground = pair_kinds(labels, background=background, radius=radius)
    share = 0.5 if background is None else 0.25
    positive, negative = -torch.log(a + EPS), -torch.log(1 + EPS - a)
    return (
        share * _mean(positive, same & ~ground) + share * _mean(positive, same & ground) + 0.5 * _mean(negative, other)
    )


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp(min=1)


def pair_kinds(labels: Tensor, *, background: int | None, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs with the same class, the pairs with different classes, and the pairs whose first cell is background.

    Args:
        labels: (N, h, w) uint8, 255 for unknown cells.
        background: Index of the background class, or None.
        radius: Largest distance of a pair in cells.

    Returns:
        Three (N, O, h, w) bool for the offsets of `half_disc`; False if the second cell is outside the image.
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
    """The `tag_loss` of sub-categories.

    paper: Chang et al., "Weakly-Supervised Semantic Segmentation via Sub-category Exploration", CVPR 2020.

    Args:
        scores: (N, C, K).
        subtags: (N, C, K) int8 as in `Batch`, or None if no image has any.
    """
    if subtags is None:
        return nothing(scores)
    return tag_loss(scores.flatten(1), (subtags == 1).flatten(1), (subtags >= 0).flatten(1))


class SubcategoryConfig(Config):
    """Settings of the training of sub-categories.

    Attributes:
        sub_weight: Weight of the loss of the sub-categories.
    """

    sub_weight: float = Field(default=5.0, ge=0)


class SubcategoryClassifier(Learner[SubcategoryConfig]):
    """Learns the classes of an image, and the sub-category of each."""

    name: ClassVar[str] = "sc-cam-subcategories"
    needs: ClassVar[frozenset[Head]] = frozenset({Head.TAGS})

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """The terms ``tags`` and ``subtags``."""
        assert out.tag_logits is not None
        assert out.sub_logits is not None
        background = self.classes.background
        tags = class_tag_loss(out.tag_logits, batch.tags, batch.tags_known, background=background)
        return {"tags": tags, "subtags": self.config.sub_weight * subtag_loss(out.sub_logits, batch.subtags)}


class AffinityConfig(Config):
    """Settings of the affinities.

    Attributes:
        affinity: ``feature`` as in PSA, or ``boundary`` as in IRN (Ahn, Cho and Kwak, CVPR 2019).
        radius: Largest distance of a pair in cells.
        walk_stride: Side of a cell of the walk in pixels. 16 suits the features of a frozen encoder, 8 (PSA) a trained
            network.
    """

    affinity: Form = "feature"
    radius: int = Field(default=5, ge=2, le=64)
    walk_stride: Literal[4, 8, 16] = 16


class AffinityLearner(Learner[AffinityConfig]):
    """Learns which neighbouring cells belong to the same class."""

    name: ClassVar[str] = "sc-cam-affinity"
    needs: ClassVar[frozenset[Head]] = frozenset({Head.EMBEDDING})

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """One term, ``affinity``."""
        assert out.embedding is not None
        config, background = self.config, self.classes.background
        cells = (max(1, out.size[0] // config.walk_stride), max(1, out.size[1] // config.walk_stride))
        pooled = F.adaptive_avg_pool2d(out.embedding, cells)
        labels = F.interpolate(batch.seeds()[:, None].float(), cells, mode="nearest-exact")[:, 0].byte()
        loss = affinity_loss(pooled, labels, background=background, form=config.affinity, radius=config.radius)
        return {"affinity": loss}
