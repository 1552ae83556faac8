"""Compares hints with full masks: floor, ceiling and methods with the same network and schedule, and a report."""

from __future__ import annotations

import logging
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from underpaint.core.claim import claimed, wait_for_one
from underpaint.core.config import Config
from underpaint.core.digest import READING_PACKAGES, code_digest, fingerprint
from underpaint.core.errors import ConfigError, nearest
from underpaint.core.outputs import Output
from underpaint.core.paths import AnyPath, SomePaths, as_path, as_paths, existing
from underpaint.datasets.areas import open_with_truth, require_truth, truth_digest
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import read_any_hints
from underpaint.evaluation.report import write_report
from underpaint.evaluation.results import BudgetPoint, GapReport, MethodRow, PictureRow, Role
from underpaint.hints.rest import fill_all
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.images import read_rgb
from underpaint.imagefiles.masks import read_index_mask
from underpaint.methods.base import Method
from underpaint.methods.registry import about_method, checked_class, require_known
from underpaint.simulate.effort import USUAL, Effort
from underpaint.training.config import TrainConfig
from underpaint.training.reporter import Reporter, Silent
from underpaint.training.run_folder import RunFolder, commit
from underpaint.workflows.cells import Cell, Protocol, Row, run_cells
from underpaint.workflows.choice import choose, main_kinds
from underpaint.workflows.planning import AnyMethod
from underpaint.workflows.preflight import preflight
from underpaint.workflows.scoring import SINGLE, Scored
from underpaint.workflows.simulate import simulate
from underpaint.workflows.training_data import read_settings

FLOOR, CEILING = "partial", "supervised"

QUICK = "quick"
"""This method is a row of every report if it accepts the hints, to compare training with a fit of a few seconds."""

TAGS_FLOOR = "cam"
"""The floor if the hints are only tags, which label no pixel that `partial` could learn from."""

PICTURES = 6
"""Number of test images in the report. They are the images on which the methods differ most."""

Results = dict[Row, dict[int, Scored]]
Efforts = Mapping[tuple[Path, ...], float | None]
"""Annotation time in minutes by files of hints. The empty tuple stands for the masks."""


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variant:
    """A method with its own name and settings: ``NAME=METHOD:setting=value,group.setting=value``.

    A setting without a dot belongs to the method. If ``asked`` is False, the user did not name the variant; it is then
    left out if it cannot be trained.
    """

    label: str
    method: AnyMethod
    overrides: tuple[str, ...] = ()
    asked: bool = True

    @classmethod
    def of(cls, method: str | type[Method[Config]]) -> Variant:
        """Make a variant from the class of a method, or from a text with `parse`. Raises `ConfigError`."""
        return cls.parse(method) if isinstance(method, str) else cls(checked_class(method).name, method)

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Read the form above, or only the name of a method. Raises `ConfigError`."""
        label, _, rest = text.partition("=") if re.match(r"^[A-Za-z0-9.-]+=", text) else ("", "", text)
        method, _, settings = rest.partition(":")
        require_known(method)
        label = label or method
        if not re.fullmatch(r"[A-Za-z0-9.-]+", label):
            raise ConfigError(f"the name {label!r} of a variant", accepted="letters, digits, '.' and '-'")
        pairs = [pair for pair in re.split(r",(?![^\[]*\])", settings) if pair]
        if any("=" not in pair for pair in pairs):
            raise ConfigError(f"the variant {text!r}", accepted="NAME=METHOD:setting=value,setting=value")
        named = [pair if "." in pair.partition("=")[0] else f"method.settings.{pair}" for pair in pairs]
        return cls(label, method, tuple(named))


def gap(
    data: AnyPath,
    out: AnyPath,
    *,
    hints: SomePaths = "scribbles",
    methods: Sequence[str | type[Method[Config]]] | None = None,
    seeds: Sequence[int] = (0,),
    split: str | None = None,
    test: str = "test",
    config: SomePaths = (),
    settings: Mapping[str, Any] | Sequence[str] = (),
    lenient: bool = False,
    rest: str | None = None,
    budgets: Sequence[float] = (),
    store: AnyPath | None = None,
    four: bool = True,
    quick: bool = True,
    jobs: int = 1,
    effort: Effort = USUAL,
    tuning: str = "no setting was chosen on masks of this data set",
    command: str = "",
    reporter: Reporter | None = None,
) -> GapReport:
    """Train floor, ceiling and methods with every seed, score them, and write ``report.html`` and ``report.json``.

    All results are kept in ``out`` and used again while their inputs are the same (images, hints, masks, class table,
    names of the splits, code). After an interruption the same call continues. A call with another method or seed adds
    the missing runs. Several calls at the same time, on machines that share ``out``, divide the trainings among
    themselves. A call with corrected masks or another split repeats what depends on them. The report is written again
    after every run. A row that the user did not name (the quick model, or a method if ``methods`` is None) and
    that cannot be trained is left out with its reason.

    Args:
        data: Data-set folder with masks for both splits. The ceiling learns from the masks of ``split``.
        out: New folder, or the folder of an earlier call. A folder with other files is refused.
        hints: A kind to simulate (scribbles, clicks, boxes, tags, mixture), or files of hints.
        methods: Names of methods, variants in the form of `Variant`, or classes of methods. None means the method that
            ``auto`` chooses and, for strokes and clicks, local-global and gated-crf. A variant with the name of the
            floor (``partial``, or ``cam`` if there are only tags) gives the settings of the floor.
        seeds: Seeds of the trainings. The simulated hints are the same for all seeds.
        split: Split for training; join several with '+'. None means ``train``.
        test: Split for scoring.
        config: YAML files with settings for all rows.
        settings: Settings for all rows, as in `underpaint.train`.
        lenient: As in `underpaint.train`.
        rest: Class of all pixels without an annotation, as in `underpaint.train`. If the data set has annotated areas
            instead of masks, these are used for the ceiling and for the scores.
        budgets: Multiples of the simulated hints, apart from 1. For each, the floor and the methods are trained with
            the first seed, to show the score against the annotation time.
        store: Folder for artifacts that several comparisons share; by default it is inside ``out``.
        four: Whether the first seed is scored under all four ways of inference, which takes about ten times as long.
        quick: Whether the quick model is added as a row if it accepts the hints.
        jobs: Number of trainings at a time.
        effort: Annotation time in seconds for each kind of hint, used if the hints have no times.
        tuning: A sentence for the report: which settings were chosen on which masks.
        command: The command line, for the report.
        reporter: Is told about progress.

    Returns:
        The content of the report: ``.rows`` has the scores of every seed, ``.gap(row)`` the share of the gap that is
        closed.

    Raises:
        UnderpaintError: The same as in `underpaint.train` and `underpaint.evaluate`; or the process of a training was
            killed. Finished results are kept.

    Example:
        >>> report = underpaint.gap("photographs", "gap", methods=["gated-crf"], seeds=[0, 1, 2])  # doctest: +SKIP
    """
    reporter = reporter or Silent()
    data, out = as_path(data, "data"), as_path(out, "out")
    sources = [str(path) for path in as_paths(hints, "hints")]
    shared = read_settings((), settings)
    opened = open_with_truth(data, rest=rest)
    split = split or opened.learning_split()
    output = open_comparison(out)
    given = _hint_files(opened, out, sources, split, rest=rest)
    names = opened.split(split)
    require_truth(opened, (*names, *opened.split(test)))
    kinds = _kinds(opened, names, given, lenient=lenient, rest=rest)
    variants = (
        usual_variants(kinds, background=opened.classes.background is not None)
        if methods is None
        else [Variant.of(method) for method in methods]
    )
    if quick:
        variants = with_quick(variants, kinds)
    floor, variants = _floor(variants, TAGS_FLOOR if set(kinds) == {Kind.TAG} else FLOOR)
    rows = _rows(floor, variants, given)
    artifacts = out / "artifacts" if store is None else as_path(store, "store")
    protocol = Protocol(data, split, test, as_paths(config, "config"), shared, lenient, rest, out, artifacts)
    cells = [Cell(row, seed, four=four and seed == seeds[0]) for seed in seeds for row in rows]
    for budget in budgets:
        files = _hint_files(opened, out, sources, split, budget=budget, rest=rest)
        cells += [Cell(row, seeds[0], four=False) for row in _budget_rows([floor, *variants], files, budget)]
    efforts = {
        files: _minutes(opened, names, files, effort, budget=budget, lenient=lenient)
        for files, budget in {cell.row.hints: cell.row.budget for cell in cells}.items()
    }
    finished: dict[Cell, Scored | str] = {}
    report: GapReport | None = None
    with closing(run_cells(protocol, cells, jobs=jobs, reporter=reporter)) as done:
        for cell, scored in done:
            finished[cell] = scored
            results, left_out = _without_gaps(cells, finished)
            if results:
                report = _report(protocol, opened, results, left_out, efforts, sources, tuning, command, effort)
                _publish(report, output)
    if report is None:
        raise ConfigError("no seed was given", accepted="one seed or more")
    return report


def _without_gaps(cells: Sequence[Cell], finished: Mapping[Cell, Scored | str]) -> tuple[Results, dict[str, str]]:
    """The scores of the cells before the first unfinished one, which another command trains, and what is left out."""
    results: Results = {}
    left_out: dict[str, str] = {}
    for cell in takewhile(finished.__contains__, cells):
        scored = finished[cell]
        if isinstance(scored, str):
            left_out[str(cell)] = scored
        else:
            results.setdefault(cell.row, {})[cell.seed] = scored
    return results, left_out


def _publish(report: GapReport, output: Output) -> None:
    """Write the report. Of several commands that share the folder, one writes at a time."""
    claim = output.root / "claims" / "report"
    while True:
        with claimed(claim) as mine:
            if mine:
                write_report(report, output.root / "report.html", write=output.write)
                return
        wait_for_one([claim])


def open_comparison(out: Path) -> Output:
    """Open the folder of a comparison: a new or empty one, or that of an earlier call.

    Raises:
        DataError: The folder contains other files.
    """
    parts = ("runs", "artifacts", "hints", "masks", "scores", "scenes", "claims")
    return Output.open(out, holds="a comparison", by="underpaint gap", apart=parts)


def _hint_files(
    data: DataFolder, out: Path, hints: Sequence[str], split: str, *, budget: float = 1, rest: str | None
) -> tuple[Path, ...]:
    """The given files of hints, or the file of simulated hints, whose name contains a digest of its inputs."""
    kinds = {kind.value for kind in Kind} - {Kind.MASK.value} | {"mixture"}
    simulated = [text for text in hints if text in kinds]
    if not simulated:
        if budget != 1:
            raise ConfigError("a budget needs simulated hints", accepted="--hints scribbles or clicks")
        return tuple(_hint_file(text, kinds) for text in hints)
    if len(hints) > 1:
        raise ConfigError(f"hints are {', '.join(hints)}", accepted="one kind to simulate, or files")
    path = out / "hints" / f"{simulated[0]}-x{budget:g}-{_simulated_from(data, split)}.jsonl"
    if not path.is_file():
        simulate(data.root, path, kind=simulated[0], split=split, budget=budget, rest=rest)
    return (path,)


def _hint_file(text: str, kinds: Iterable[str]) -> Path:
    """A file or folder of hints. If it does not exist, the error suggests the nearest kind of hint."""
    if not Path(text).exists() and (meant := nearest(text, kinds)):
        raise ConfigError(f"neither a kind of hint nor a file: {text}", accepted=", ".join(sorted(kinds)), fix=meant)
    return existing(Path(text), "the hints")


def _simulated_from(data: DataFolder, split: str) -> str:
    names = data.split(split)
    data.require_masks(names)
    code = code_digest(*READING_PACKAGES, "simulate")
    return fingerprint(names, truth_digest(data, names), code)


def _kinds(
    data: DataFolder, names: Sequence[str], files: tuple[Path, ...], *, lenient: bool, rest: str | None
) -> dict[Kind, int]:
    """Kinds of the hints. A warning about useless hints is shown once for all rows."""
    read = read_any_hints(list(files), data, ignore_unknown=lenient, ignore_outside=lenient)[0]
    found = {name: read[name] for name in names if name in read}
    if rest is not None:
        found = fill_all(found, rest, data.classes)[0]
    if said := preflight(found, data.classes).warning:
        log.warning(said)
    return main_kinds(found.values())


def usual_variants(kinds: Mapping[Kind, int], *, background: bool) -> list[Variant]:
    """The methods that are compared by default: the choice of ``auto``, and a second method for some kinds of hints."""
    choice = choose(kinds, background=background)
    if choice.method == CEILING:
        return []
    settings = tuple(f"method.settings.{name}={value}" for name, value in choice.settings.items())
    second = "rrm" if choice.method == TAGS_FLOOR else None
    if set(kinds) <= {Kind.SCRIBBLE, Kind.CLICK}:
        second = "gated-crf" if choice.method == "local-global" else "local-global"
    other = [] if second is None else [Variant(second, second, asked=False)]
    return [*other, Variant(choice.method, choice.method, settings, asked=False)]


def with_quick(variants: Sequence[Variant], kinds: Mapping[Kind, int]) -> list[Variant]:
    """The variants, with the quick model before them if it accepts the hints and no variant has its name."""
    accepted = about_method(QUICK).accepts
    fits = set(kinds) <= accepted | {Kind.TAG} and accepted & set(kinds)
    named = any(variant.label == QUICK for variant in variants)
    return [Variant(QUICK, QUICK, asked=False), *variants] if fits and not named else list(variants)


def _floor(variants: Sequence[Variant], method: str) -> tuple[Variant, list[Variant]]:
    """The floor, with the settings of a variant that has its name, and the other variants."""
    given = [variant for variant in variants if variant.label == variant.method == method]
    return (given or [Variant(method, method)])[0], [variant for variant in variants if variant not in given[:1]]


def _rows(floor: Variant, variants: Sequence[Variant], hints: tuple[Path, ...]) -> list[Row]:
    labels = [floor.label, CEILING, *(variant.label for variant in variants)]
    if len(set(labels)) < len(labels):
        raise ConfigError(
            f"the rows are {', '.join(labels)}", accepted="each name once; floor and ceiling are always added"
        )
    lowest = Row(floor.label, floor.method, Role.FLOOR, hints, floor.overrides)
    ceiling = Row(CEILING, CEILING, Role.CEILING, ())
    return [lowest, ceiling, *_method_rows(variants, hints)]


def _method_rows(variants: Sequence[Variant], hints: tuple[Path, ...]) -> list[Row]:
    return [Row(v.label, v.method, Role.METHOD, hints, v.overrides, asked=v.asked) for v in variants]


def _budget_rows(variants: Sequence[Variant], hints: tuple[Path, ...], budget: float) -> list[Row]:
    return [replace(row, label=f"{row.label}-x{budget:g}", budget=budget) for row in _method_rows(variants, hints)]


def _report(
    protocol: Protocol,
    data: DataFolder,
    results: Results,
    left_out: Mapping[str, str],
    efforts: Efforts,
    hints: Sequence[str],
    tuning: str,
    command: str,
    effort: Effort,
) -> GapReport:
    usual = [row for row in results if row.budget == 1]
    first = usual[0]
    seeds = sorted(results[first])
    config = RunFolder(protocol.run(first, seeds[0])).config
    rows = []
    for row in usual:
        runs = {seed: scored.evaluation for seed, scored in results[row].items()}
        made = MethodRow.of(row.label, row.role, runs, minutes=efforts[row.hints])
        rows.append(replace(made, inference=_inference(results[row])))
    return GapReport(
        dataset=protocol.data.name,
        split=protocol.test,
        hints=" + ".join(Path(text).name for text in hints),
        network=f"{config.model.architecture} on {config.model.encoder}, one scale, last step",
        tuning=tuning,
        command=command,
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        commit=commit(),
        classes=data.classes,
        rows=tuple(rows),
        pictures=tuple(_pictures(protocol, data, {row: results[row] for row in usual})),
        budget=tuple(_budget(results, efforts)),
        left_out=dict(left_out),
        facts={
            "trained on": f"{protocol.split}, {RunFolder(protocol.run(first, seeds[0])).about['images']} images",
            "schedule": _schedule(config.train),
            "views": f"crops of {config.views.shape[0]} x {config.views.shape[1]}, scales {config.views.scales}",
            "arithmetic": config.train.precision,
            "annotation time": effort.words(),
        },
    )


def _schedule(train: TrainConfig) -> str:
    least = f" but at least {train.least_steps} steps" if train.least_steps else ""
    return f"{train.epochs:g} passes per stage{least}, batch size {train.batch}, learning rate {train.lr:g}"


def _inference(runs: Mapping[int, Scored]) -> dict[str, float]:
    """The mIoU of the first seed under every way of inference; empty if only one was requested."""
    scored = runs[min(runs)]
    return {SINGLE: scored.evaluation.scores.miou, **scored.others} if scored.others else {}


def _minutes(
    data: DataFolder, names: Sequence[str], files: tuple[Path, ...], effort: Effort, *, budget: float, lenient: bool
) -> float | None:
    """Annotation time in minutes of the hints in files, or of the masks of the images; None if it is unknown."""
    if not files:
        return sum(_mask_seconds(data, name, effort) for name in names) / 60
    found: Mapping[str, Hints] = read_any_hints(list(files), data, ignore_unknown=lenient, ignore_outside=lenient)[0]
    seconds = [_seconds(found[name], data, effort, budget) for name in names if name in found]
    known = [each for each in seconds if each is not None]
    return sum(known) / 60 if len(known) == len(seconds) else None


def _seconds(hints: Hints, data: DataFolder, effort: Effort, budget: float) -> float | None:
    """The measured time, if the hints have one. Simulated times are only used with the default effort."""
    if hints.seconds is not None and (effort == USUAL or not hints.source.startswith("simulated")):
        return hints.seconds
    return effort.of(hints, data.classes, budget=budget)


def _mask_seconds(data: DataFolder, name: str, effort: Effort) -> float:
    index = data.mask(name).read(data.classes)
    shown = np.unique(index[index != 255])
    return effort.masks(len(data.classes.foreground), int((shown != data.classes.background).sum()))


def _budget(results: Results, efforts: Efforts) -> list[BudgetPoint]:
    """The floor and the methods at every budget, with the first seed; empty if there is only one budget."""
    if all(row.budget == 1 for row in results):
        return []
    points = []
    for row, runs in results.items():
        minutes = efforts[row.hints]
        if row.role == Role.CEILING or minutes is None:
            continue
        label = row.label.removesuffix(f"-x{row.budget:g}")
        points.append(BudgetPoint(label, row.budget, minutes, runs[min(runs)].evaluation.scores.miou))
    return sorted(points, key=lambda point: (point.method, point.minutes))


def _pictures(protocol: Protocol, data: DataFolder, results: Results) -> list[PictureRow]:
    """The test images on which the rows differ most (with the first seed), with the masks of all rows."""
    scores = np.array([[image.miou or 0.0 for image in runs[min(runs)].evaluation.images] for runs in results.values()])
    names = data.split(protocol.test)
    widest = np.argsort(scores.min(axis=0) - scores.max(axis=0), kind="stable")[:PICTURES]
    rows = []
    for name in (names[i] for i in widest):
        masks = {
            row.label: read_index_mask(protocol.masks(row, min(runs)) / f"{name}.png", data.classes)
            for row, runs in results.items()
        }
        truth = data.mask(name).read(data.classes)
        rows.append(PictureRow(name, read_rgb(data.images[name]), masks, truth))
    return rows
