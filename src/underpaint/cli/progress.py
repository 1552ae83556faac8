"""A progress bar with rate, loss terms and remaining time. Without a terminal, it prints plain lines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from underpaint.core.errors import printable

PLAIN_EVERY = 20.0
"""Seconds between two lines if the output is not a terminal."""


class Bar:
    """A `Reporter` that draws on standard error."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._said = 0.0
        self._name, self._total, self._first, self._began = "", 0, 0, 0.0
        self.running = False
        """Whether a task has begun and is not finished."""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.finish()  # after an error, no unfinished bar and no hidden cursor remain

    def start(self, task: str, total: int, done: int) -> None:
        """Begin a task of ``total`` steps, of which ``done`` were done in an earlier session."""
        self.running = True
        self._name, self._total, self._first, self._began = task, total, done, time.perf_counter()
        if not self.console.is_terminal:
            self.console.print(f"{task}: {total}" + (f", continuing after {done}" if done else ""), markup=False)
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[values]}"),
            console=self.console,
        )
        self._progress.start()
        self._task = self._progress.add_task(task, total=total, completed=done, rate="", values="")

    def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
        """Show that ``done`` steps are done. A rate of 0 is not shown; it stands for steps that are not images."""
        rate = f"{images_per_second:.1f} images/s" if images_per_second else ""
        shown = "  ".join(f"{name.removeprefix('loss/')} {value:.3f}" for name, value in values.items() if value)
        if self._progress is not None:
            self._progress.update(self._task, completed=done, rate=rate, values=shown)
            return
        now = time.perf_counter()
        if now - self._said >= PLAIN_EVERY or done == self._total:
            self._said = now
            left = (now - self._began) / max(done - self._first, 1) * (self._total - done)
            self.console.print(f"{self._name} {done}/{self._total}  {rate}  {left:.0f} s left  {shown}", markup=False)

    def note(self, message: str) -> None:
        """Print a message above the bar."""
        self.console.print(f"note: {printable(message)}", markup=False, highlight=False)

    def finish(self) -> None:
        """Close the bar."""
        self.running = False
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
