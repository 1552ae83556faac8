"""What the loop tells whoever is watching."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol


class Reporter(Protocol):
    """A watcher of a training: a progress bar, or nothing."""

    def start(self, task: str, total: int, done: int) -> None:
        """A task of ``total`` steps begins, ``done`` of them in an earlier session."""

    def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
        """``done`` steps are done; the latest loss terms."""

    def note(self, message: str) -> None:
        """Something a person should know."""

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
    """A function that takes (done, total) images of a task and tells a reporter of them, from the start to the end."""
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
