"""The gap between weak and full supervision, and the part of it that a method closes.

The floor b is the network trained only on the hint pixels. The ceiling F is the same network with the same schedule and
seeds, trained on full masks. For a method m, ``gap = F - m``, ``reduction = (m - b) / (F - b)``, ``share = m / F``.

Paper: Mayer, Timofte and Paul 2018 (arXiv 1808.01625) report such a reduction. We derived its formula from published
numbers (Tang et al., ECCV 2018: floor 69.5, method 73.0, ceiling 75.6; reported to close 57.5 %).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from underpaint.core.errors import DataError

CONFIDENCE = 0.95
"""Level of all confidence intervals."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % confidence interval (Student t over seeds), which is None for one seed.

    The interval holds for other seeds on the same images, not for other images.
    """

    mean: float
    interval: tuple[float, float] | None
    seeds: int


@dataclass(frozen=True)
class Gap:
    """The distance of a method from full supervision.

    Args:
        gap: F - m, in mIoU points.
        reduction: (m - b) / (F - b) as a fraction; below 0 the method is worse than the floor, above 1 better than the
            ceiling. None if it is undefined.
        share: m / F as a fraction, or None if it is undefined.
        reason: The reason why a value is undefined, or None.
        seeds: The seeds that floor, ceiling and method have in common, which are used.
    """

    gap: Estimate
    reduction: Estimate | None
    share: Estimate | None
    reason: str | None
    seeds: tuple[int, ...]


def estimate(values: Sequence[float]) -> Estimate:
    """Mean of one value per seed and its 95 % interval, ``mean ± t(n-1) * s / sqrt(n)``.

    Raises:
        DataError: There is no value, or a value is not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        raise DataError(f"{list(values)} has no mean", accepted="one finite number per seed, and at least one seed")
    mean = math.fsum(values) / len(values)
    return _interval(mean, [value - mean for value in values])


def measure_gap(method: Mapping[int, float], *, floor: Mapping[int, float], ceiling: Mapping[int, float]) -> Gap:
    """Gap, reduction and share of a method, paired by seed.

    Reduction and share are ratios of the means over seeds. A mean of ratios would depend too much on a seed whose floor
    and ceiling are nearly equal. Their interval is Student's for the linearised residuals ``top - ratio * bottom``
    (Cochran, Sampling Techniques, 1977, section 6.3), in which variation that floor, method and ceiling share cancels.

    Args:
        method: Seed to mIoU (0..100) of the method.
        floor: Seed to mIoU of the network trained only on hint pixels.
        ceiling: Seed to mIoU of the network trained on full masks.

    Raises:
        DataError: The three have no seed in common, or a score is not finite.
    """
    seeds = tuple(sorted(method.keys() & floor.keys() & ceiling.keys()))
    if not seeds:
        raise DataError(
            f"there is no common seed: method {sorted(method)}, floor {sorted(floor)}, ceiling {sorted(ceiling)}",
            accepted="at least one seed with which all three were trained",
        )
    m, b, F = ([runs[seed] for seed in seeds] for runs in (method, floor, ceiling))
    gap = estimate([full - score for full, score in zip(F, m, strict=True)])
    low, high = estimate(b).mean, estimate(F).mean
    reduction = share = None
    if high > low:
        reduction = _ratio(
            [score - base for score, base in zip(m, b, strict=True)],
            [full - base for full, base in zip(F, b, strict=True)],
        )
    if high > 0:
        share = _ratio(m, F)
    reason = None
    if reduction is None:
        reason = f"the ceiling ({high:.1f}) is not above the floor ({low:.1f}), so there is no gap"
    return Gap(gap, reduction, share, reason, seeds)


def _ratio(top: Sequence[float], bottom: Sequence[float]) -> Estimate:
    scale = math.fsum(bottom) / len(bottom)
    ratio = math.fsum(top) / math.fsum(bottom)
    return _interval(ratio, [(t - ratio * d) / scale for t, d in zip(top, bottom, strict=True)])


def _interval(mean: float, residuals: Sequence[float]) -> Estimate:
    n = len(residuals)
    if n < 2:
        return Estimate(mean, None, n)
    error = math.sqrt(math.fsum(r * r for r in residuals) / (n - 1) / n)
    half = float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * error
    return Estimate(mean, (mean - half, mean + half), n)
