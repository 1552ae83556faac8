"""Cross-entropy for logits with a predicted mean and variance, and targets that correct labels during training."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def expected_logits(mean: Tensor, variance: Tensor | None) -> Tensor:
    """Logits whose softmax approximates the expected softmax: ``mean / sqrt(1 + pi variance / 8)``.

    For two classes this is MacKay's approximation of the expected sigmoid, because the softmax of two logits is the
    sigmoid of their difference. The variance is that *of the difference*, and each logit has half of it. For more
    classes it is the mean-field form of the same approximation: one temperature per pixel, which all classes share. The
    class with the largest logit stays the same.

    paper: MacKay, "The Evidence Framework Applied to Classification Networks", 1992; Lu, Ie, Sha, "Mean-Field
    Approximation to Gaussian-Softmax Integral", arXiv 2006.07584, 2020.

    Args:
        mean: (P, C) or (N, C, h, w).
        variance: (P, 1) or (N, 1, h, w), variance of the difference of any two logits, >= 0. None means zero.

    Returns:
        Logits in the shape of ``mean``, in float32, or float64 for float64.
    """
    mean = mean.to(torch.promote_types(mean.dtype, torch.float32))
    return mean if variance is None else mean / (1 + math.pi / 8 * variance.to(mean.dtype)).sqrt()


def group_cross_entropy(logits: Tensor, label: Tensor, rest: Tensor, target: Tensor) -> Tensor:
    """``-(t log sum_{c in label} p_c + (1 - t) log sum_{c in rest} p_c)`` of each pixel, with p = softmax(logits).

    Args:
        logits: (P, C).
        label: (P, C) bool, the classes of the label of a pixel, at least one.
        rest: (P, C) bool, the classes that the pixel may have if the label is wrong; disjoint from ``label``.
        target: (P,) t in [0, 1], 1 where the label is correct. Where ``rest`` is empty, 1 is used instead.

    Returns:
        (P,) losses >= 0.
    """
    total = logits.logsumexp(dim=1)
    inside = total - _mass(logits, label)
    # An empty set has probability 0, and its infinite logarithm must not be multiplied with 0.
    some = rest.any(dim=1)
    other = total - _mass(logits, torch.where(some[:, None], rest, label))
    target = torch.where(some, target, 1.0)
    return target * inside + (1 - target) * other


def _mass(logits: Tensor, group: Tensor) -> Tensor:
    return logits.masked_fill(~group, -torch.inf).logsumexp(dim=1)


@torch.no_grad()
def hard_targets(mean: Tensor, variance: Tensor, label: Tensor, rest: Tensor) -> Tensor:
    """Targets 0 where the network is uncertain and prefers a class that is not in the label, otherwise 1.

    The network is uncertain where its variance is above the median of the given pixels, so that at most half of them
    lose their label at a time. This threshold is a reconstruction. The abstract of Neven et al. 2021 only says that
    boxes become masks during training.

    Args:
        mean: (P, C) mean logits.
        variance: (P,) variance, see `expected_logits`.
        label: (P, C) bool, the classes of the label.
        rest: (P, C) bool, the other candidates.

    Returns:
        (P,) targets 0 or 1.
    """
    best = mean.masked_fill(~(label | rest), -torch.inf).argmax(dim=1, keepdim=True)
    uncertain = rest.gather(1, best)[:, 0] & (variance > variance.median())
    return (~uncertain).to(torch.promote_types(mean.dtype, torch.float32))


@torch.no_grad()
def soft_targets(mean: Tensor, label: Tensor, rest: Tensor, *, share: float) -> Tensor:
    """Targets ``share + (1 - share) q``; q is the probability of the classes of the label among all candidates.

    paper: Reed et al., "Training Deep Neural Networks on Noisy Labels with Bootstrapping", arXiv 1412.6596, 2014. This
    is their soft form with two groups of classes instead of single classes.

    Args:
        mean: (P, C) mean logits.
        label: (P, C) bool, the classes of the label.
        rest: (P, C) bool, the other candidates.
        share: Weight of the label in the target, 0 to 1.

    Returns:
        (P,) targets in [0, 1].
    """
    mean = mean.to(torch.promote_types(mean.dtype, torch.float32))
    probability = (_mass(mean, label) - _mass(mean, label | rest)).exp()
    return share + (1 - share) * probability
