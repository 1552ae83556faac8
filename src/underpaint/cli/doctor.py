"""``underpaint doctor``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import underpaint
from underpaint.cli.options import Hints


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    data: Annotated[Path, typer.Argument(help="Data set, as for `underpaint train`.")],
    hints: Hints = None,
    rest: Annotated[
        str | None, typer.Option(help="Class of all pixels without an annotation; by default they are unknown.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split for training; join several with +. Default: train, or all images.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes. Default: as many as the cores.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Check a data set before training: list its contents and all problems.

    The exit code is 1 if a problem prevents training.
    """
    from underpaint.cli.findings import show
    from underpaint.cli.progress import Bar
    from underpaint.doctor.estimate import usable_cores
    from underpaint.training.reporter import counting

    with Bar() as bar:
        progress = counting(bar, "images")
        report = underpaint.doctor(
            data, hints=hints or [], rest=rest, split=split, jobs=jobs or usable_cores(), on_progress=progress
        )
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=1))
    else:
        show(report)
    if report.blocks:
        raise typer.Exit(1)
