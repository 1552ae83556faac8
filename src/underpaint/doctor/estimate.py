"""Estimates the time and the memory of a training with default settings on this machine.

Time: `benchmarks/training.py` trains 7.8 crops of 208 x 320 pixels per second on two cores (its result is
`benchmarks/results/training.json`), which is 3.9 core seconds per megapixel of crops. A step uses a batch of crops:

    minutes = steps * batch * crop megapixels * CORE_SECONDS / min(cores, MOST_CORES) / 60

Memory: the peak of one process, measured for batches of 0.03, 0.13 and 0.52 megapixels (884, 1020 and 1552 MB), is a
linear function. In addition, decoded photographs are kept in a cache of up to `ViewConfig.cache_mb`:

    megabytes = 840 + 1360 * batch megapixels + min(cache, 3 bytes per pixel of all photographs)

Labels between two stages and the sample pictures at the end were measured for `local-global` on a photograph of 12
megapixels with two classes, in core seconds per megapixel: 1.25 for a pass of the network in tiles, and 1.1 for the
local model with its energy at the working size. A photograph within the working size needs six passes, which together
process 7.6 times its pixels. Every process that makes labels needs 500 MB of memory per megapixel at the working size.

A file of 12 megapixels is decoded in 0.01 core seconds per megapixel, in every step if the cache is too small. The
start takes 8 core seconds.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

EPOCHS = 20.0
LEAST_STEPS = 80
BATCH = 8
CROP = (256, 256)
CACHE_MB = 1024
WORKING = 1024
"""Defaults of `RunConfig`, which is not imported here, because it imports torch. A test compares them."""

CORE_SECONDS = 3.9
"""Core seconds per megapixel of crops for loading, forward and backward pass; see above."""

MOST_CORES = 8
"""Largest number of cores that speeds up a training, because small batches cannot be divided further."""

BASE_MB, MB_PER_MEGAPIXEL = 840, 1360

START, DECODE, PASS, LOCAL = 8.0, 0.01, 1.25, 1.1
"""Core seconds of the start, and per megapixel of a file, of a pass, and of a local model; see above."""

PASSES = 7.6
"""Pixels of the six passes (scales 0.75, 1 and 1.5, each twice) per pixel of a photograph of the working size."""

LABEL_MB = 500
"""Memory in MB for labels per megapixel at the working size."""

SAMPLES = 4
"""Number of photographs that are predicted for the sample pictures at the end."""


@dataclass(frozen=True)
class Estimate:
    """The estimate for a training on a CPU including labels between stages, accurate to a factor of two.

    Args:
        images: Number of training photographs.
        epochs: Passes over them in all stages together.
        batch, crop, cores: The values used in the estimate; the crop is that of the photograph.
        minutes: Time of the training.
        megabytes: Largest memory.
        available: Memory of the machine in megabytes, or None if it is unknown.
        steps: Optimiser steps of all stages.
    """

    images: int
    epochs: float
    batch: int
    crop: tuple[int, int]
    cores: int
    minutes: float
    megabytes: int
    available: int | None
    steps: int

    def to_json(self) -> dict[str, Any]:
        """The fields as values for JSON."""
        return asdict(self)


def estimate(
    images: int,
    mean_pixels: float,
    *,
    cores: int | None = None,
    steps: int | None = None,
    step_seconds: float | None = None,
    batch: int = BATCH,
    parts: int = 1,
    crop: tuple[int, int] = CROP,
    cache_mb: int = CACHE_MB,
    rounds: int = 0,
    working: int = WORKING,
    scale: float = 1.0,
) -> Estimate:
    """Estimate the time and memory of a training.

    Args:
        images: Number of training photographs.
        mean_pixels: Mean number of pixels of a photograph.
        cores: Number of cores; None for those that this process may use.
        steps: Optimiser steps of all stages; None for one stage with default settings.
        step_seconds: Measured time of a step; the estimate for labels is then scaled by the same factor.
        batch: Number of crops per step.
        parts: Number of parts of a batch that are processed one after the other.
        crop: (height, width) of a crop in pixels.
        cache_mb: Size of the cache for decoded photographs, in MiB.
        rounds: How often labels are made for all photographs.
        working: Longest side in pixels at which labels are made.
        scale: Factor by which the network enlarges or reduces crops and photographs.
    """
    used = cores or usable_cores()
    if steps is None:
        steps = max(round(images * EPOCHS / BATCH), LEAST_STEPS)
    megapixels = crop[0] * crop[1] * scale**2 / 1e6  # as the network sees them
    whole = mean_pixels / 1e6
    cache = min(cache_mb * 2**20 / 1e6, 3 * images * whole)
    missed = 1 - cache / max(3 * images * whole, 1e-9)
    step = batch * (megapixels * CORE_SECONDS + missed * whole * DECODE) / min(used, MOST_CORES)
    others = rounds * images * _label_seconds(whole, working, scale) + min(images, SAMPLES) * whole * scale**2 * PASS
    others /= min(used, MOST_CORES)
    if step_seconds is not None:
        step, others = step_seconds, others * step_seconds / step
    minutes = (START + steps * step + others) / 60
    labels = LABEL_MB * min(whole, _working_megapixels(working)) * min(images, used) if rounds else 0.0
    megabytes = round(BASE_MB + max(MB_PER_MEGAPIXEL * batch / parts * megapixels, labels) + cache)
    passes = round(steps * batch / max(images, 1), 1)
    return Estimate(images, passes, batch, crop, used, round(minutes, 1), megabytes, _memory(), steps)


def _working_megapixels(working: int) -> float:
    """The megapixels of a photograph with an aspect ratio of 4 to 3 at the working size."""
    return working * working * 0.75 / 1e6


def _label_seconds(megapixels: float, working: int, scale: float) -> float:
    """Core seconds for the labels of one photograph."""
    small = min(megapixels, _working_megapixels(working))
    passes = PASSES if megapixels <= small else 1.0
    return passes * PASS * megapixels * scale**2 + LOCAL * small


def usable_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int | None:
    """The memory of the machine in megabytes, or None if it is unknown."""
    try:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6)
    except (AttributeError, ValueError, OSError):
        return None
