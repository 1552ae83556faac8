"""The number of passes for a given number of minutes: some steps are timed, then the passes that fit are chosen."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path

from underpaint.core.errors import ConfigError
from underpaint.datasets.sizes import some_sizes
from underpaint.doctor.estimate import EPOCHS, LEAST_STEPS
from underpaint.training.loop import TIMED, WARM
from underpaint.training.reporter import Silent
from underpaint.training.run_folder import RunFolder
from underpaint.training.stages import StagedRun
from underpaint.workflows.expected import expected_of
from underpaint.workflows.planning import Plan

USED = 0.95
"""Share of the minutes that is planned. The rest is a reserve if the machine becomes slower, and for the pictures."""

MOST_PASSES = 4
"""Largest number of passes (or of steps on a small set) as a multiple of the default; measured in `docs/start.md`."""


def within_minutes(planned: Plan, minutes: float) -> Plan:
    """The plan with as many passes as the minutes allow, at most `MOST_PASSES` times the default.

    Some steps with the network, the losses and the images of the plan are timed. The time for labels between stages is
    estimated from the ratio of this time to the usual one (`underpaint.doctor.estimate`). Only the setting
    ``train.epochs`` changes.

    Args:
        planned: A plan.
        minutes: Time on this machine for the timing and the whole training, above 0.

    Raises:
        ConfigError: The time is too short for one step of every stage, the method has no steps, or several devices
            train: steps are timed on one device.
        RunError: The loading processes ended.
    """
    if planned.config.train.ranks > 1:
        raise ConfigError(
            f"steps are timed on one device, and {planned.config.train.ranks} are asked for",
            fix="give train.epochs in place of the minutes",
        )
    seconds = _step_seconds(planned)
    images, train = len(planned.hints), planned.config.train
    most = MOST_PASSES * max(EPOCHS, LEAST_STEPS * train.batch / images)
    lengths = sum(stage.schedule.epochs for stage in planned.method.stages() if not stage.network.fitted)
    fixed = _with_passes(planned, 1.0, seconds, "").expected
    others = fixed.minutes + (WARM + TIMED - fixed.steps) * seconds / 60
    steps = (USED * minutes - others) * 60 / seconds / lengths  # of a stage of length 1
    if steps < 1:
        raise ConfigError(
            f"{minutes:g} minute(s) are too few: a step takes {seconds:.2g} s here, and the rest {others:.1f} minutes",
            accepted=f"{math.ceil(10 * (others + lengths * seconds / 60) / USED) / 10:g} minutes or more",
            fix="allow more minutes, or train on fewer images (--split) or on smaller crops (views.crop)",
        )
    passes = math.floor(100 * min(steps * train.batch / images, most)) / 100 or 0.01
    said = f"{passes:g} passes in {minutes:g} minute(s), because a step takes {seconds:.2g} s on this machine"
    if passes >= math.floor(100 * most) / 100:
        said += f"; this is the largest number, {MOST_PASSES} times the usual one"
    elif steps < LEAST_STEPS:
        said += f"; this is only {round(steps)} steps per stage, and fewer than {LEAST_STEPS} give much worse masks"
    made = _with_passes(planned, passes, seconds, said)
    return replace(made, source={**made.source, "minutes": minutes})


def _with_passes(planned: Plan, passes: float, seconds: float, said: str) -> Plan:
    train = planned.config.train.model_copy(update={"epochs": passes, "least_steps": 0})
    config = planned.config.model_copy(update={"train": train})
    stages, sizes = planned.method.stages(), some_sizes(planned.data, planned.hints)
    expected = expected_of(stages, sizes, config, len(planned.hints), step_seconds=seconds)
    return replace(planned, config=config, steps=expected.steps, expected=expected, timed=said)


def _step_seconds(planned: Plan) -> float:
    """Measure the time of a step in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        staged = StagedRun(run, planned.config, planned.method, planned.data, planned.hints, Silent())
        return staged.step_seconds()
