"""The number of passes for the minutes that a person allows: a step is timed, then the passes that fit are chosen."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path

from underpaint.core.errors import ConfigError
from underpaint.doctor.estimate import EPOCHS, LEAST_STEPS
from underpaint.training.loop import TIMED, WARM
from underpaint.training.reporter import Silent
from underpaint.training.run_folder import RunFolder
from underpaint.training.stages import StagedRun
from underpaint.workflows.expected import expected_of, some_sizes
from underpaint.workflows.planning import Plan

USED = 0.95
"""Share of the minutes that is planned. The rest is for a machine that becomes slower, and for the last pictures."""

MOST = 4
"""Passes, or steps of a small set, at most, as a multiple of the default; see `docs/start.md` for the measurement."""


def within_minutes(planned: Plan, minutes: float) -> Plan:
    """The plan with as many passes as the minutes allow, at most `MOST` times the default.

    Some steps are taken with the network, the losses and the photographs of the plan, and timed. Labels between stages
    are taken to be as much slower or faster than reckoned as the steps are (`underpaint.doctor.estimate`). All settings
    but ``train.epochs`` stay.

    Args:
        planned: A plan.
        minutes: Of this machine, for the whole training and the timing; more than 0.

    Raises:
        ConfigError: The minutes are too few for a step of every stage, or the method takes no steps.
        RunError: The loading processes ended.
    """
    seconds = _step_seconds(planned)
    images, train = len(planned.hints), planned.config.train
    most = MOST * max(EPOCHS, LEAST_STEPS * train.batch / images)
    lengths = sum(stage.schedule.epochs for stage in planned.method.stages() if not stage.network.fitted)
    fixed = _with_passes(planned, 1.0, seconds, "").expected
    others = fixed.minutes + (WARM + TIMED - fixed.steps) * seconds / 60
    steps = (USED * minutes - others) * 60 / seconds / lengths  # of a stage of length 1
    if steps < 1:
        raise ConfigError(
            f"{minutes:g} minute(s) are too few: a step takes {seconds:.2g} s here, and all else {others:.1f} minutes",
            accepted=f"{math.ceil(10 * (others + lengths * seconds / 60) / USED) / 10:g} minutes or more",
            fix="allow more, or learn from fewer photographs (--split) or smaller crops (views.crop)",
        )
    passes = math.floor(100 * min(steps * train.batch / images, most)) / 100 or 0.01
    said = f"{passes:g} passes in {minutes:g} minute(s), since a step takes {seconds:.2g} s here"
    if passes >= math.floor(100 * most) / 100:
        said += f"; more than {MOST} times the usual number are not taken"
    elif steps < LEAST_STEPS:
        said += f"; these are {round(steps)} steps in a stage, and fewer than {LEAST_STEPS} give much worse masks"
    made = _with_passes(planned, passes, seconds, said)
    return replace(made, source={**made.source, "minutes": minutes})


def _with_passes(planned: Plan, passes: float, seconds: float, said: str) -> Plan:
    train = planned.config.train.model_copy(update={"epochs": passes, "least_steps": 0})
    config = planned.config.model_copy(update={"train": train})
    stages, sizes = planned.method.stages(), some_sizes(planned.data, planned.hints)
    expected = expected_of(stages, sizes, config, len(planned.hints), step_seconds=seconds)
    return replace(planned, config=config, steps=expected.steps, expected=expected, timed=said)


def _step_seconds(planned: Plan) -> float:
    """Measured in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        staged = StagedRun(run, planned.config, planned.method, planned.data, planned.hints, Silent())
        return staged.step_seconds()
