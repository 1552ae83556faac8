"""From a data set and hints to a trained network. What is wrong with a call or the data is said before torch starts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from underpaint.core.config import merge
from underpaint.core.errors import RunError
from underpaint.core.paths import AnyPath, SomePaths, as_path, as_paths
from underpaint.hints.types import Hints
from underpaint.methods.registry import require_known
from underpaint.training.beginning import require_place
from underpaint.training.reporter import Reporter
from underpaint.workflows.training_data import read_settings, read_training_data, require_minutes

if TYPE_CHECKING:
    from underpaint.training.reporter import Reporter
    from underpaint.workflows.planning import AnyMethod, Plan
    from underpaint.workflows.run import Run

log = logging.getLogger(__name__)


def train(
    data: AnyPath,
    out: AnyPath,
    *,
    hints: SomePaths | Mapping[str, Hints] = (),
    method: AnyMethod = "auto",
    settings: Mapping[str, Any] | Sequence[str] = (),
    config: SomePaths = (),
    split: str | None = None,
    rest: str | None = None,
    minutes: float | None = None,
    lenient: bool = False,
    resume: bool = False,
    store: AnyPath | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Train a network on hints and leave it in a run folder.

    Args:
        data: Data-set folder: ``images/`` and ``classes.txt``, a VOC devkit, or photographs with annotation files.
        out: Run folder; new, or with ``resume`` the one of an interrupted run of the same call.
        hints: Files or folders of hints in any known format, or hints by image name as `underpaint.read_hints` and
            `underpaint.simulate` give them. None takes what the data set has itself: its masks as full supervision, or
            else the annotations beside its photographs.
        method: ``auto``, a name from ``underpaint methods``, the class of a method, or a method with its settings.
        settings: ``{"train.epochs": 5}``, the same in groups, ``{"train": {"epochs": 5}}``, or texts such as
            ``["train.epochs=5"]``; laid over ``config``.
        config: Recipes: YAML files of settings, a later one laid over an earlier.
        split: Split to learn from; several are joined with '+'. None for ``train``, or for everything where the data
            set has no split lists.
        rest: Class of the pixels that no annotation covers, in images with drawn areas or boxes; None leaves them
            unknown.
        minutes: Time that the training may take on this machine: some steps are timed, and ``train.epochs`` becomes
            what fits, at most four times the default. None for the settings' own passes. A resumed run keeps its
            passes.
        lenient: Leave out and count hints of classes that the data set lacks, or outside their image, and cut those
            that cross its border, instead of stopping.
        resume: Go on with an interrupted run. On a CPU it ends with the very weights of an uninterrupted one.
        store: Folder of trained stages that runs share; None for one within the run folder.
        reporter: Watches; None for nobody.

    Returns:
        The finished run, ready to predict.

    Raises:
        UnderpaintError: with what, where and the fix, for anything that keeps the training from its end.

    Example:
        >>> run = underpaint.train("photographs", "run", hints="scribbles.jsonl")  # doctest: +SKIP
        >>> mask, probabilities = run.predict("photograph.jpg")  # doctest: +SKIP
    """
    folder = as_path(out, "out")
    require_place(folder, resume=resume)
    if resume and minutes is not None:
        settings, minutes = going_on(folder, settings, minutes)
    planned = plan(
        data,
        hints=hints,
        method=method,
        settings=settings,
        config=config,
        split=split,
        rest=rest,
        minutes=minutes,
        lenient=lenient,
    )
    return planned.train(out, resume=resume, store=store, reporter=reporter)


def plan(
    data: AnyPath,
    *,
    hints: SomePaths | Mapping[str, Hints] = (),
    method: AnyMethod = "auto",
    settings: Mapping[str, Any] | Sequence[str] = (),
    config: SomePaths = (),
    split: str | None = None,
    rest: str | None = None,
    minutes: float | None = None,
    lenient: bool = False,
) -> Plan:
    """Read what is there, choose a method, settle all settings, and check, without training.

    Arguments and errors are those of `train`.

    Returns:
        What a training would do: `Plan.words` says it in lines of text, `Plan.train` does it.

    Example:
        >>> planned = underpaint.plan("photographs", hints="scribbles.jsonl")  # doctest: +SKIP
        >>> print(planned.words(), planned.expected.minutes)  # doctest: +SKIP
        >>> run = planned.train("run")  # doctest: +SKIP
    """
    planned = plan_quietly(
        data,
        hints=hints,
        method=method,
        settings=settings,
        config=config,
        split=split,
        rest=rest,
        minutes=minutes,
        lenient=lenient,
    )
    if planned.warning:
        log.warning(planned.warning)
    return planned


def plan_quietly(
    data: AnyPath,
    *,
    hints: SomePaths | Mapping[str, Hints],
    method: AnyMethod,
    settings: Mapping[str, Any] | Sequence[str],
    config: SomePaths,
    split: str | None,
    rest: str | None,
    minutes: float | None = None,
    lenient: bool,
) -> Plan:
    """`plan`, with `Plan.warning` left to the caller to say: a comparison says it once for all its rows."""
    recipes = as_paths(config, "config")
    if isinstance(method, str) and method != "auto":
        require_known(method)
    stated = read_settings(recipes, settings)
    if minutes is not None:
        require_minutes(minutes, settings)
    learnt = read_training_data(
        as_path(data, "data"),
        hints=hints,
        lenient=lenient,
        rest=rest,
        split=split,
    )
    from underpaint.workflows.minutes import within_minutes  # imports torch, which takes seconds
    from underpaint.workflows.planning import check_network, plan_training

    planned = plan_training(learnt, stated, method, where=", ".join([*map(str, recipes), "settings (--set)"]))
    check_network(planned)
    return planned if minutes is None else within_minutes(planned, minutes)


def going_on(
    folder: Path, settings: Mapping[str, Any] | Sequence[str], minutes: float
) -> tuple[Mapping[str, Any] | Sequence[str], float | None]:
    """Settings and minutes of a run that is resumed: it keeps the passes that it began with, and no step is timed.

    Args:
        folder: The run folder.
        settings: Of the call.
        minutes: Of the call.

    Returns:
        The settings with these passes, and None for the minutes; what was given if the run has no settings yet.

    Raises:
        ConfigError: as `require_minutes`.
        RunError: the run was begun with other minutes, or without.
    """
    require_minutes(minutes, settings)
    from underpaint.training.run_folder import RunFolder

    run = RunFolder(folder)
    if run.unbegun:
        return settings, minutes
    held = run.about.get("minutes")
    if held != minutes:
        before = "without a number of minutes" if held is None else f"with {held:g} minute(s)"
        raise RunError(
            f"the run began {before}, and now {minutes:g} minute(s) are asked for",
            where=folder,
            fix="repeat the command of the first start with --resume added, or start a new run",
        )
    return merge(read_settings((), settings), {"train": {"epochs": run.config.train.epochs}}), None
