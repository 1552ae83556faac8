"""From a data set and hints to a trained network. What is wrong with a call or the data is said before torch starts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from underpaint.core.paths import AnyPath, SomePaths, as_path, as_paths
from underpaint.hints.types import Hints
from underpaint.methods.registry import require_known
from underpaint.training.beginning import require_place
from underpaint.training.reporter import Reporter
from underpaint.workflows.training_data import read_settings, read_training_data

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
    require_place(as_path(out, "out"), resume=resume)
    planned = plan(
        data, hints=hints, method=method, settings=settings, config=config, split=split, rest=rest, lenient=lenient
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
        data, hints=hints, method=method, settings=settings, config=config, split=split, rest=rest, lenient=lenient
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
    lenient: bool,
) -> Plan:
    """`plan`, with `Plan.warning` left to the caller to say: a comparison says it once for all its rows."""
    recipes = as_paths(config, "config")
    if isinstance(method, str) and method != "auto":
        require_known(method)
    stated = read_settings(recipes, settings)
    learnt = read_training_data(
        as_path(data, "data"),
        hints=hints,
        lenient=lenient,
        rest=rest,
        split=split,
    )
    from underpaint.workflows.planning import check_network, plan_training  # imports torch, which takes seconds

    planned = plan_training(learnt, stated, method, where=", ".join([*map(str, recipes), "settings (--set)"]))
    check_network(planned)
    return planned
