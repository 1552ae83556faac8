"""Steps, minutes and memory of a planned training."""

from __future__ import annotations

import math
from collections.abc import Sequence

from underpaint.doctor.estimate import Estimate, estimate
from underpaint.methods.stage import Stage
from underpaint.training.config import RunConfig, TrainConfig


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
        crop=config.views.shape,
        cache_mb=config.views.cache_mb,
        rounds=len(stages) - 1,
        working=config.data.working,
        scale=config.model.factor,
    )
