"""The part of the command ``underpaint predict`` that writes shards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

import typer

import underpaint
from underpaint.cli.progress import Bar
from underpaint.core.errors import SHOWN, printable


class Engine(StrEnum):
    """The executor that processes shards."""

    PROCESSES = "processes"
    RAY = "ray"


def predict_many(
    run: Path,
    images: str,
    out: Path,
    size: int | None,
    jobs: int,
    engine: Engine,
    address: str | None,
    settings: Mapping[str, Any],
) -> None:
    """Predict into shards with a progress bar.

    If images were left out or failed, they are named and the exit code is 1.
    """
    asked = dict(settings) if size is None else {"size": size, **settings}
    with Bar() as bar:
        done = underpaint.predict_shards(
            run,
            images,
            out,
            jobs=jobs,
            executor=engine.value,
            address=address,
            on_progress=_shown(bar),
            **asked,
        )
    typer.echo(f"{done.masks} mask(s) of {done.images} image(s) in {done.shards} shard(s) in {out}")
    for one in islice(done.reasons(), SHOWN):
        typer.echo(printable(f"left out {one.where}: {one.reason}"), err=True)
    if done.left_out > SHOWN:
        typer.echo(f"{done.left_out} left out in all: see {out}/plan/left_out.jsonl", err=True)
    if done.failed:
        typer.echo(f"{done.failed} image(s) could not be read: see the reasons in {out}/shards/*/index.jsonl", err=True)
    if done.failed or done.left_out:
        raise typer.Exit(1)


def _shown(bar: Bar) -> Callable[[int, int, int], None]:
    """Return a callback that shows the finished images, the images per second and the failures."""
    began: list[tuple[float, int]] = []

    def advance(done: int, total: int, failed: int) -> None:
        now = time.perf_counter()
        if not began:
            began.append((now, done))
            bar.start("images", total, done)
            return
        since, before = began[0]
        bar.advance(done, (done - before) / max(now - since, 1e-9), {"failed": failed})

    return advance
