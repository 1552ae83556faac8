"""Trains and scores the cells of a comparison in one or several processes. Each row and seed is a cell."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path

import torch

from underpaint.core.claim import claimed, wait_for_one
from underpaint.core.config import Settings, merge, parse_overrides
from underpaint.core.errors import (
    ConfigError,
    HintError,
    InterruptionError,
    LearningError,
    RunError,
    UnderpaintError,
)
from underpaint.core.parallel import stream
from underpaint.datasets.areas import open_with_truth
from underpaint.evaluation.results import Role
from underpaint.training.reporter import Reporter, Silent
from underpaint.training.run_folder import RunFolder
from underpaint.workflows.planning import AnyMethod, Plan
from underpaint.workflows.resume import SHARED_INPUTS
from underpaint.workflows.scoring import Scored, score_run
from underpaint.workflows.train import plan_quietly


@dataclass(frozen=True)
class Row:
    """One row of the comparison.

    Args:
        label: Unique name of the row.
        method: Name in the registry, or the class of a method.
        role: Floor, ceiling or method.
        hints: Files of hints; empty for the masks of the data set.
        overrides: ``name=value`` settings in addition to those that all rows share.
        budget: Multiple of the usual amount of hints.
        asked: Whether the user named this row. Other rows are left out if they cannot be trained.
    """

    label: str
    method: AnyMethod
    role: Role
    hints: tuple[Path, ...]
    overrides: tuple[str, ...] = ()
    budget: float = 1.0
    asked: bool = True


@dataclass(frozen=True)
class Protocol:
    """The inputs that all rows share.

    Args:
        data: Folder of the data set.
        split: Split for training.
        test: Split for scoring.
        config: YAML files of settings.
        settings: Settings in groups; they replace those of the files.
        lenient: As in `plan`.
        rest: As in `plan`.
        out: Folder for runs, masks and scores.
        store: Folder for artifacts that the runs share.
    """

    data: Path
    split: str
    test: str
    config: tuple[Path, ...]
    settings: Settings
    lenient: bool
    rest: str | None
    out: Path
    store: Path

    def run(self, row: Row, seed: int) -> Path:
        """The run folder of a cell."""
        return self.out / "runs" / f"{row.label}-{seed}"

    def masks(self, row: Row, seed: int) -> Path:
        """The folder for the masks of a cell on the test split."""
        return self.out / "masks" / f"{row.label}-{seed}"

    def claim(self, cell: Cell) -> Path:
        """The claim of the command that works on a cell."""
        return self.out / "claims" / f"{cell.row.label}-{cell.seed}"


@dataclass(frozen=True)
class Cell:
    """A row with one seed. With ``four``, it is scored under all four ways of inference."""

    row: Row
    seed: int
    four: bool

    def __str__(self) -> str:
        return f"{self.row.label}, seed {self.seed}"


class Busy(Enum):
    """Stands for the result of a cell that another command works on."""

    BUSY = auto()


BUSY = Busy.BUSY


def run_cells(
    protocol: Protocol, cells: Sequence[Cell], *, jobs: int, reporter: Reporter
) -> Generator[tuple[Cell, Scored | str], None, None]:
    """Train and score every cell. Existing results are used again, and an interrupted cell is continued.

    Other commands, on this machine or on others that share the folder, may run the same cells at the same time: each
    cell is trained by the one that claims it first. Cells come in order, except that those of others come at the end.

    Args:
        protocol: The inputs that they share.
        cells: The cells.
        jobs: Number of processes, which share the threads. Two trainings at a time on one thread each are about a fifth
            faster than one after the other on two threads.
        reporter: Is told about progress; with several jobs, it is only told that a cell is done.

    Yields:
        Each cell with its scores, or with the reason why it is left out.

    Raises:
        UnderpaintError: The error of the first cell that fails. The checkpoints of the other cells are kept.
    """
    waiting = list(cells)
    while waiting:
        busy = []
        with closing(_one_round(protocol, waiting, jobs, reporter)) as results:
            for cell, found in results:
                if isinstance(found, Busy):
                    busy.append(cell)
                else:
                    yield cell, found
        if busy and len(waiting) == len(cells):
            reporter.note(f"{len(busy)} of {len(cells)} are trained by another command: waiting for it")
        if busy:
            wait_for_one([protocol.claim(cell) for cell in busy])
        waiting = busy


def _one_round(
    protocol: Protocol, cells: Sequence[Cell], jobs: int, reporter: Reporter
) -> Generator[tuple[Cell, Scored | str | Busy], None, None]:
    """Every cell once: its scores, the reason why it is left out, or that another command works on it."""
    if jobs == 1:
        for number, cell in enumerate(cells, start=1):
            reporter.note(f"{number} of {len(cells)}: {cell}")
            yield cell, _claimed(protocol, cell, reporter)
        return
    threads = max(1, torch.get_num_threads() // jobs)
    results = stream(partial(_in_worker, protocol), cells, workers=jobs, queued=1, threads=threads)
    with closing(results):
        for cell, refused in zip(cells, results, strict=True):
            if isinstance(refused, Busy):
                yield cell, refused
                continue
            reporter.note(f"{cell}: {'done' if refused is None else refused}")
            # The worker has written all results, so that this only reads the scores.
            yield cell, _claimed(protocol, cell, Silent()) if refused is None else refused


def _claimed(protocol: Protocol, cell: Cell, reporter: Reporter) -> Scored | str | Busy:
    with claimed(protocol.claim(cell)) as mine:
        return _tried(protocol, cell, reporter) if mine else BUSY


def _tried(protocol: Protocol, cell: Cell, reporter: Reporter) -> Scored | str:
    """The scores of a cell, or the reason if it cannot be trained and the user did not name it."""
    try:
        return _run(protocol, cell, reporter)
    except (ConfigError, HintError, LearningError) as error:
        if cell.row.asked:
            raise
        reporter.note(f"{cell}: left out, {error.brief}")
        return error.brief


def _in_worker(protocol: Protocol, cell: Cell) -> str | Busy | None:
    """Run a cell in its own process; returns the reason if it is left out, or that another command works on it."""
    try:
        done = _claimed(protocol, cell, Silent())
    except InterruptionError:
        raise
    except UnderpaintError as error:
        raise RunError(f"{cell}: {error}") from None
    return done if isinstance(done, str | Busy) else None


def _run(protocol: Protocol, cell: Cell, reporter: Reporter) -> Scored:
    row, folder = cell.row, protocol.run(cell.row, cell.seed)
    planned = plan_quietly(
        protocol.data,
        hints=row.hints,
        lenient=protocol.lenient,
        rest=protocol.rest,
        split=protocol.split,
        method=row.method,
        config=protocol.config,
        settings=merge(protocol.settings, parse_overrides([*row.overrides, f"seed={cell.seed}"])),
    )
    _remove_outdated(planned, folder, reporter)
    run = planned.train(folder, resume=folder.is_dir(), store=protocol.store, reporter=reporter)
    kept = protocol.out / "scores" / f"{row.label}-{cell.seed}.npz"
    masks = protocol.masks(row, cell.seed)
    truth = planned.data if planned.data.masks else open_with_truth(protocol.data, rest=protocol.rest)
    return score_run(run, truth, protocol.test, masks, kept, four=cell.four)


def _remove_outdated(planned: Plan, folder: Path, reporter: Reporter) -> None:
    """Remove the run of a cell whose inputs have changed since, so that the cell is trained again.

    A run with other settings is not removed; resuming it raises an error, because the caller chose the settings.
    """
    if not (folder / "about.json").is_file():
        return
    about = RunFolder(folder).about
    reasons = [words for key, words in SHARED_INPUTS.items() if about.get(key) != planned.source[key]]
    if reasons:
        reporter.note(f"{folder.name} was trained on {' and '.join(reasons)}: it is trained again")
        shutil.rmtree(folder)
