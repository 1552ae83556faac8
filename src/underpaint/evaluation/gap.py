"""The gap between weak and full supervision, and how much of it a method closes.

Floor b: the network trained on the hint pixels alone. Ceiling F: the same network, schedule and seeds on full masks.
Method m lies between. ``gap = F - m``, ``reduction = (m - b) / (F - b)``, ``share = m / F``.
Paper: Mayer, Timofte and Paul 2018 (arXiv 1808.01625) state such a reduction; that this is its formula was worked out
from published figures (Tang et al., ECCV 2018: floor 69.5, method 73.0, ceiling 75.6; said to close 57.5 %).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from underpaint.core.errors import DataError

CONFIDENCE = 0.95
"""Level of every interval: the field's custom."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval (Student t over seeds), None for one seed.

    The interval speaks of other seeds on the same images, not of other images.
    """

    mean: float
    interval: tuple[float, float] | None
    seeds: int


@dataclass(frozen=True)
class Gap:
    """How far a method is from full supervision.

    Args:
        gap: F - m, in mIoU points.
        reduction: (m - b) / (F - b) as a fraction; below 0 the method is worse than the floor, above 1 better than the
            ceiling. None where it is undefined.
        share: m / F as a fraction, or None where it is undefined.
        reason: Why something is undefined, or None.
        seeds: The seeds that floor, ceiling and method have in common, and that were used.
    """

    gap: Estimate
    reduction: Estimate | None
    share: Estimate | None
    reason: str | None
    seeds: tuple[int, ...]


def estimate(values: Sequence[float]) -> Estimate:
    """Mean of one value a seed and its 95 % interval, ``mean ± t(n-1) * s / sqrt(n)``.

    Raises:
        DataError: no value, or one that is not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        raise DataError(f"no mean of {list(values)}", accepted="one finite number a seed, and at least one")
    mean = math.fsum(values) / len(values)
    return _interval(mean, [value - mean for value in values])


def measure_gap(method: Mapping[int, float], *, floor: Mapping[int, float], ceiling: Mapping[int, float]) -> Gap:
    """Gap, reduction and share of a method, paired by seed.

    Reduction and share are ratios of the means over seeds: a mean of ratios would let the one seed whose floor and
    ceiling lie close decide. Their interval is Student's on the linearised residuals ``top - ratio * bottom``
    (Cochran, Sampling Techniques, 1977, section 6.3), so luck that floor, method and ceiling share cancels.

    Args:
        method: Seed to mIoU (0..100) of the method.
        floor: The same of the network on hint pixels alone.
        ceiling: The same of the network on full masks.

    Raises:
        DataError: the three have no seed in common, or a score is not finite.
    """
    seeds = tuple(sorted(method.keys() & floor.keys() & ceiling.keys()))
    if not seeds:
        raise DataError(
            f"no seed in common: method {sorted(method)}, floor {sorted(floor)}, ceiling {sorted(ceiling)}",
            accepted="at least one seed that all three were trained with",
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
        reason = f"the ceiling ({high:.1f}) is not above the floor ({low:.1f}): there is no gap to reduce"
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
