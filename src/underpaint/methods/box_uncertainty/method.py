"""Boxes and a few masks: the network learns where the label of a box is unreliable (Neven et al. 2021)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from underpaint.core.config import Config
from underpaint.losses.candidates import Balance, candidate_terms, nothing
from underpaint.methods.base import Method
from underpaint.methods.box_uncertainty import ABOUT
from underpaint.methods.box_uncertainty.boxes import BoxGrid, Unlabelled, projection_loss
from underpaint.methods.box_uncertainty.colour_pairs import same_label_loss
from underpaint.methods.box_uncertainty.losses import expected_logits, group_cross_entropy, hard_targets, soft_targets
from underpaint.methods.stage import Stage, StageNetwork
from underpaint.records import UNKNOWN, Batch, Head, NetOutput, Progress, Terms


class BoxUncertaintyConfig(Config):
    """Settings of learned label uncertainty. The authors' code is not public; the defaults are ours.

    Attributes:
        uncertainty: Learn a variance inside boxes. If it is off, a box is used like a mask: plain cross-entropy with
            its class.
        box_weight: Weight of a pixel in a box, relative to a labelled pixel. With 0, only the pixels outside the boxes
            are used.
        bootstrap: ``hard`` relabels pixels as background that the network predicts as background with high variance, if
            it predicts the object in their row and column of the box; ``soft`` mixes label and prediction (Reed et al.
            2014); ``none`` never changes the label of a box.
        trusted: Share of the training, at its start, in which boxes are used like masks, without uncertainty and
            bootstrapping. The network must first learn to separate objects from the background; otherwise the labels of
            a rare class that it does not predict yet would be ignored.
        label_share: Weight of the label in a soft target; Reed et al.: 0.8 for the hard form, 0.95 for the soft one.
        projection_weight: Weight of `projection_loss` (BoxInst).
        pairwise_weight: Weight of `same_label_loss` (BoxInst, where it is 1).
        absent_weight: Weight of the pixels that have only the image's tags, as in `partial`.
        balance: As in `partial`; a pixel in a box counts like a labelled pixel of its image.
    """

    uncertainty: bool = True
    box_weight: float = Field(default=1.0, ge=0)
    bootstrap: Literal["hard", "soft", "none"] = "hard"
    trusted: float = Field(default=0.2, ge=0, lt=1)
    label_share: float = Field(default=0.8, ge=0, le=1)
    projection_weight: float = Field(default=0.0, ge=0)
    pairwise_weight: float = Field(default=0.0, ge=0)
    absent_weight: float = Field(default=0.0, ge=0)
    balance: Balance = "pixels"

    @model_validator(mode="after")
    def _hard_needs_uncertainty(self) -> BoxUncertaintyConfig:
        if self.bootstrap == "hard" and not self.uncertainty:
            raise ValueError(
                "bootstrap hard needs the learned uncertainty: set uncertainty=true, or bootstrap=soft or none"
            )
        return self


class BoxUncertainty(Method[BoxUncertaintyConfig], about=ABOUT):
    """Cross-entropy at labelled pixels; inside boxes an expected softmax with a learned variance for wrong labels."""

    needs: ClassVar[frozenset[Head]] = frozenset({Head.VARIANCE})
    Settings: ClassVar[type[Config]] = BoxUncertaintyConfig

    def stages(self) -> tuple[Stage, ...]:
        """One training; the network has a variance head if the uncertainty is learned."""
        network = StageNetwork(heads=None if self.config.uncertainty else ())
        images: Literal["all", "marked"] = "all" if self.config.absent_weight else "marked"
        return (Stage(name="train", network=network, images=images),)

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """The terms of `partial` outside boxes, the term ``boxes`` inside them, ``projection`` and ``pairwise``."""
        config = self.config
        seeds = batch.seeds()
        grid = BoxGrid.of(batch, (out.logits.shape[2], out.logits.shape[3]))
        inside = Unlabelled.of(grid, batch, seeds)
        skip = inside.where if config.box_weight else None
        terms = candidate_terms(
            out, batch, set_weight=1.0, absent_weight=config.absent_weight, balance=config.balance, skip=skip
        )
        terms |= dict.fromkeys(("boxes", "projection", "pairwise"), nothing(out.logits))
        if len(inside.label) and config.box_weight:
            each = self._inside(out, inside, grid, progress)
            terms["boxes"] = config.box_weight * _mean(each, inside.where, seeds != UNKNOWN, config.balance)
        if config.projection_weight:
            probabilities = expected_logits(out.logits, None).softmax(dim=1)
            terms["projection"] = config.projection_weight * projection_loss(probabilities, grid, batch.valid)
        if config.pairwise_weight:
            pairs = same_label_loss(out.logits, batch.rgb, batch.valid, inside.where)
            terms["pairwise"] = config.pairwise_weight * pairs
        return terms

    def _inside(self, out: NetOutput, inside: Unlabelled, grid: BoxGrid, progress: Progress) -> Tensor:
        """(P,) losses of the cells that lie in boxes and have no label of their own."""
        config, trusted = self.config, progress.fraction < self.config.trusted
        mean = out.logits.movedim(1, 3)[inside.where]
        learned = out.variance if config.uncertainty else None
        variance = None if learned is None else learned.movedim(1, 3)[inside.where] * (not trusted)
        target = mean.new_ones(len(mean))
        if not trusted and config.bootstrap == "soft":
            target = soft_targets(mean, inside.label, inside.rest, share=config.label_share)
        elif not trusted and config.bootstrap == "hard" and variance is not None:
            target = hard_targets(mean, variance[:, 0], inside.label, inside.rest)
            # An object that the network does not predict yet must not become background.
            explained = grid.explained(out.logits.argmax(dim=1))[inside.where]
            target = target.where(explained, 1.0)
        return group_cross_entropy(expected_logits(mean, variance), inside.label, inside.rest, target)


def _mean(each: Tensor, where: Tensor, labelled: Tensor, balance: Balance) -> Tensor:
    """The sum of the losses in boxes, divided by the number of cells in boxes or of labelled cells: the larger one.

    So a cell in a box has at most the weight of a labelled cell.

    Args:
        each: (P,) losses of the cells ``where``, in their order.
        where: (N, h, w) bool.
        labelled: (N, H, W) bool, pixels with a label.
        balance: ``pixels`` counts the cells in the batch, ``images`` in each image, and averages over the images.
    """
    cells = where.flatten(1).sum(dim=1)  # (N,)
    known = labelled.flatten(1).float().mean(dim=1) * where[0].numel()
    if balance == "pixels":
        return each.sum() / torch.maximum(cells.sum(), known.sum())
    weight = 1 / torch.maximum(cells, known)
    return (each * weight.repeat_interleave(cells)).sum() / ((cells > 0) | (known > 0)).sum()
