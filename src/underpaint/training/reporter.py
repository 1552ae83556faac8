"""Progress reports of trainings and of all other long work."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol


class Reporter(Protocol):
    """Receives the progress of long work, for example to draw a progress bar."""

    def start(self, task: str, total: int, done: int) -> None:
        """A task of ``total`` steps begins; ``done`` of them were done in an earlier session."""

    def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
        """``done`` steps are done; ``values`` are the latest loss terms."""

    def note(self, message: str) -> None:
        """Show a message to the user."""

    def finish(self) -> None:
        """The task is done."""


class Silent:
    """Reports nothing."""

    def start(self, task: str, total: int, done: int) -> None:
        """Nothing."""

    def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
        """Nothing."""

    def note(self, message: str) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""


def counting(reporter: Reporter, task: str) -> Callable[[int, int], None]:
    """A function of (done, total) that reports the progress of a task over images, from its start to its end."""
    began: float | None = None

    def count(done: int, total: int) -> None:
        nonlocal began
        if began is None:
            began = time.perf_counter()
            reporter.start(task, total, 0)
        reporter.advance(done, done / max(time.perf_counter() - began, 1e-9), {})
        if done == total:
            reporter.finish()

    return count
