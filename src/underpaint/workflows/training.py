"""Executes a planned training in its run folder, in one process or in several ranks."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.core.errors import ConfigError
from underpaint.core.lock import exclusive
from underpaint.training.joining import join_local_rank, joined_ranks
from underpaint.training.launched import log_errors_only
from underpaint.training.processes import LocalRank
from underpaint.training.ranks import Ranks
from underpaint.training.reporter import Reporter, Silent
from underpaint.training.run_folder import RunFolder
from underpaint.training.stages import StagedRun
from underpaint.workflows.pictures import draw_missing
from underpaint.workflows.resume import check_resume, make_folder
from underpaint.workflows.run import Run

if TYPE_CHECKING:
    from underpaint.workflows.planning import Plan


@dataclass(frozen=True)
class Training:
    """A plan and its run folder. The object is sent to the processes that are started for further devices.

    Args:
        plan: The plan.
        out: The run folder.
        resume: As in `Plan.train`.
        store: As in `Plan.train`.
    """

    plan: Plan
    out: Path
    resume: bool
    store: Path | None

    def run(self, reporter: Reporter) -> Run:
        """Train with the number of processes in the settings.

        This process, or the first one of the launcher, is the leader.

        Raises:
            UnderpaintError: The same as in `Plan.train`.
        """
        config = self.plan.config.train
        if config.ranks > 1:
            self._require_portable()
        with joined_ranks(config, partial(train_local_rank, self)) as ranks:
            self.train_rank(ranks, reporter if ranks.is_leader else Silent())
        return Run(self.out)

    def train_rank(self, ranks: Ranks, reporter: Reporter) -> None:
        """Train as one of the ranks. The leader locks the folder and draws the pictures."""
        plan, run = self.plan, Run(self.out)
        if not ranks.is_leader:
            log_errors_only()
        with ExitStack() as locks:
            trained = ranks.on_leader("beginning", lambda: self._begun(run, locks, reporter))
            if not trained:
                StagedRun(run, plan.config, plan.method, plan.data, plan.hints, reporter, self.store, ranks).train()
            ranks.on_leader("drawing pictures", lambda: draw_missing(run, plan.data, plan.hints))

    def _begun(self, run: Run, locks: ExitStack, reporter: Reporter) -> bool:
        """Lock the folder, write the settings, and return whether the run is already trained."""
        for note in self.plan.notes:
            reporter.note(note)
        make_folder(self.out, resume=self.resume)
        locks.enter_context(exclusive(self.out))
        if self.resume and not run.unbegun:
            check_resume(run, self.plan.config, self.plan.method, self.plan.source)
        else:
            RunFolder.create(self.out, self.plan.config, self.plan.data.classes, self.plan.source)
        if run.complete:
            reporter.note("the run is already complete")
        return run.trained

    def _require_portable(self) -> None:
        """Raise `ConfigError` if other processes cannot import the method."""
        kind = type(self.plan.method)
        if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
            raise ConfigError(
                f"the class of method {self.plan.method.name!r} is in the script itself or in a function, so that the "
                "processes of other devices cannot import it",
                fix="move the class into a separate module, or set train.devices=1",
            )


def train_local_rank(training: Training, local: LocalRank) -> None:
    """Train as one of the processes that were started for further devices."""
    with join_local_rank(training.plan.config.train, local) as ranks:
        training.train_rank(ranks, Silent())
