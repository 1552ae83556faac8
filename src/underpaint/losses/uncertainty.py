"""Cross-entropy under logits of which only a mean and a variance are known, and the targets that it corrects itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MASK_SHARE = 0.5
"""Least share of a batch from images with masks. Where box and mask contradict each other on pixels that look alike,
the box wins with under about a quarter of the weight on masks (tests/losses/test_uncertainty_loss.py); half is safe."""


def expected_logits(mean: Tensor, variance: Tensor | None) -> Tensor:
    """Logits whose softmax stands for the expected softmax: ``mean / sqrt(1 + pi variance / 8)``, in float32 or better.

    For two classes this is MacKay's approximation of the expected sigmoid, since the softmax of two logits is the
    sigmoid of their difference; there the variance is that *of the difference*, each logit carrying half of it. For
    more classes it is the mean-field form of the same: one temperature a pixel, shared by its classes. The largest
    logit stays the largest.

    paper: MacKay, "The Evidence Framework Applied to Classification Networks", 1992; Lu, Ie, Sha, "Mean-Field
    Approximation to Gaussian-Softmax Integral", arXiv 2006.07584, 2020.

    Args:
        mean: (P, C) or (N, C, h, w).
        variance: Of the difference of any two logits, >= 0, (P, 1) or (N, 1, h, w); None: none anywhere.

    Returns:
        As ``mean``; half precision becomes float32, in which the square root is taken.
    """
    mean = mean.to(torch.promote_types(mean.dtype, torch.float32))
    return mean if variance is None else mean / (1 + math.pi / 8 * variance.to(mean.dtype)).sqrt()


def group_cross_entropy(logits: Tensor, label: Tensor, rest: Tensor, target: Tensor) -> Tensor:
    """``-(t log sum_{c in label} p_c + (1 - t) log sum_{c in rest} p_c)`` of each pixel, p the softmax of the logits.

    Args:
        logits: (P, C).
        label: (P, C) bool, the classes of a pixel's label, at least one.
        rest: (P, C) bool, the classes that it may have if the label is wrong; disjoint from ``label``.
        target: (P,) t in [0, 1], 1 where the label holds; taken as 1 where ``rest`` is empty.

    Returns:
        (P,), >= 0.
    """
    total = logits.logsumexp(dim=1)
    held = total - _mass(logits, label)
    # An empty set has probability 0: its logarithm must not meet the factor 0.
    some = rest.any(dim=1)
    other = total - _mass(logits, torch.where(some[:, None], rest, label))
    target = torch.where(some, target, 1.0)
    return target * held + (1 - target) * other


def _mass(logits: Tensor, group: Tensor) -> Tensor:
    return logits.masked_fill(~group, -torch.inf).logsumexp(dim=1)


@torch.no_grad()
def hard_targets(mean: Tensor, variance: Tensor, label: Tensor, rest: Tensor) -> Tensor:
    """(P,) 0 where a pixel's most probable candidate is no class of its label and the network is unsure, else 1.

    Unsure is a variance above the median of the given pixels: at most half of them lose their label at a time. The
    threshold is a reconstruction; that boxes become masks during training is from the abstract of Neven et al. 2021.

    Args:
        mean: (P, C).
        variance: (P,).
        label: (P, C) bool.
        rest: (P, C) bool, the other candidates.
    """
    best = mean.masked_fill(~(label | rest), -torch.inf).argmax(dim=1, keepdim=True)
    doubted = rest.gather(1, best)[:, 0] & (variance > variance.median())
    return (~doubted).to(torch.promote_types(mean.dtype, torch.float32))


@torch.no_grad()
def soft_targets(mean: Tensor, label: Tensor, rest: Tensor, *, share: float) -> Tensor:
    """(P,) ``share + (1 - share) q``, q the probability of the label's classes among a pixel's candidates.

    paper: Reed et al., "Training Deep Neural Networks on Noisy Labels with Bootstrapping", arXiv 1412.6596, 2014, whose
    soft form it is with two groups of classes in the place of classes.

    Args:
        mean: (P, C).
        label: (P, C) bool.
        rest: (P, C) bool, the other candidates.
        share: Of the label in the target.
    """
    mean = mean.to(torch.promote_types(mean.dtype, torch.float32))
    probability = (_mass(mean, label) - _mass(mean, label | rest)).exp()
    return share + (1 - share) * probability
