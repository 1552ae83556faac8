"""Steps, minutes and memory of a planned training."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress

from underpaint.core.errors import DataError
from underpaint.datasets.folder import DataFolder
from underpaint.doctor.estimate import Estimate, estimate
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import image_size
from underpaint.methods.stage import Stage
from underpaint.training.config import RunConfig, TrainConfig

SIZES = 64
"""Number of images whose size is read for the estimate of memory."""


def some_sizes(data: DataFolder, hints: Mapping[str, Hints]) -> list[tuple[int, int]]:
    """(H, W) of some of the images. Unreadable images are not counted; the training reports them."""
    some = [data.images[name] for name in sorted(hints) if name in data.images][:: -(-len(hints) // SIZES) or 1]
    sizes = []
    for path in some:
        with suppress(DataError):
            sizes.append(image_size(path))
    return sizes


def median_side(sizes: Sequence[tuple[int, int]]) -> float:
    """Median longest side, or 1 if no image can be read, which the training reports."""
    return statistics.median(max(size) for size in sizes) if sizes else 1.0


def all_steps(stages: Sequence[Stage], train: TrainConfig, images: int) -> int:
    """Number of optimiser steps of all stages. Fitted stages have none."""
    return sum(train.steps(images, stage.schedule.epochs) for stage in stages if not stage.network.fitted)


def expected_of(
    stages: Sequence[Stage],
    sizes: Sequence[tuple[int, int]],
    config: RunConfig,
    images: int,
    *,
    step_seconds: float | None = None,
) -> Estimate:
    """Minutes and memory, from the sizes of some of the images and, if it was measured, from the time of a step."""
    pixels = [math.prod(size) for size in sizes]
    return estimate(
        images,
        sum(pixels) / max(len(pixels), 1),
        steps=all_steps(stages, config.train, images),
        step_seconds=step_seconds,
        batch=config.train.batch,
        parts=config.train.accumulate,
        crop=config.views.crop,
        cache_mb=config.views.cache_mb,
        rounds=len(stages) - 1,
        working=config.data.working,
    )
