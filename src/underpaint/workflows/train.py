"""Trains a network from a data set and hints. Errors in arguments and data are reported before torch is imported."""

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
from underpaint.training.launched import launched
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
    """Train a network on hints and write it into a run folder.

    Args:
        data: Data-set folder: ``images/`` and ``classes.txt``, a VOC devkit, or images with annotation files.
        out: New run folder or, with ``resume``, the folder of an interrupted run of the same call.
        hints: Files or folders of hints in any known format, or hints by image name as returned by
            `underpaint.read_hints` and `underpaint.simulate`. Without hints, the masks of the data set are used as full
            supervision, or the annotations beside its images.
        method: ``auto``, a name from ``underpaint methods``, the class of a method, or a method with its settings.
        settings: ``{"train.epochs": 5}``, the same in groups, ``{"train": {"epochs": 5}}``, or texts such as
            ``["train.epochs=5"]``. They replace those of ``config``.
        config: YAML files with settings; a later file replaces settings of an earlier one.
        split: Split for training; join several with '+'. None means ``train``, or all images if the data set has no
            split lists.
        rest: Class of all pixels without an annotation in images with drawn areas or boxes; None leaves them unknown.
        minutes: Time for the training on this machine. Some steps are timed, and ``train.epochs`` is chosen to fit, up
            to four times the default. None uses the number in the settings. A resumed run keeps its number.
        lenient: Leave out and count hints of unknown classes and hints outside their image, and cut hints that cross
            the image border, instead of raising an error.
        resume: Continue an interrupted run. On a CPU its weights have the same bits as those of an uninterrupted run.
        store: Folder of trained stages that several runs share; None means a folder inside the run folder.
        reporter: Is told about progress.

    Returns:
        The finished run, which can predict.

    Raises:
        UnderpaintError: The training cannot be finished. The message states the problem, its place and the fix.

    Example:
        >>> run = underpaint.train("photographs", "run", hints="scribbles.jsonl")  # doctest: +SKIP
        >>> mask, probabilities = run.predict("photograph.jpg")  # doctest: +SKIP
    """
    folder = as_path(out, "out")
    if not is_follower(settings, config):
        require_place(folder, resume=resume)
    if resume and minutes is not None:
        settings, minutes = resumed_settings(folder, settings, minutes)
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


def is_follower(settings: Mapping[str, Any] | Sequence[str], config: SomePaths) -> bool:
    """Whether a launcher started this process as a rank that is not the leader, and must not print.

    Args:
        settings: Of the call.
        config: Of the call.
    """
    launch = launched()
    if launch is None or launch.rank == 0:
        return False
    stated = read_settings(as_paths(config, "config"), settings).get("train")
    several = isinstance(stated, dict) and (stated.get("devices", 1), stated.get("nodes", 1)) != (1, 1)
    return several or launch.by == "torchrun"


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
    """Plan a training: read the data, choose a method, and resolve and check all settings, without training.

    Arguments and errors are those of `train`.

    Returns:
        The plan. `Plan.words` describes it in lines of text, and `Plan.train` executes it.

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
    """`plan` without logging `Plan.warning`: a comparison logs it only once for all its rows."""
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


def resumed_settings(
    folder: Path, settings: Mapping[str, Any] | Sequence[str], minutes: float
) -> tuple[Mapping[str, Any] | Sequence[str], float | None]:
    """Settings and minutes of a resumed run: it keeps its number of passes, and no steps are timed.

    Args:
        folder: The run folder.
        settings: Settings of the call.
        minutes: Minutes of the call.

    Returns:
        The settings with this number of passes, and None for the minutes. If the run has no settings yet, the arguments
        are returned unchanged.

    Raises:
        ConfigError: The same as in `require_minutes`.
        RunError: The run began with other minutes or without minutes.
    """
    require_minutes(minutes, settings)
    from underpaint.training.run_folder import RunFolder

    run = RunFolder(folder)
    if run.unbegun:
        return settings, minutes
    first = run.about.get("minutes")
    if first != minutes:
        before = "without a number of minutes" if first is None else f"with {first:g} minute(s)"
        raise RunError(
            f"the run began {before}, but now {minutes:g} minute(s) are requested",
            where=folder,
            fix="repeat the command of the first start with --resume added, or start a new run",
        )
    return merge(read_settings((), settings), {"train": {"epochs": run.config.train.epochs}}), None
