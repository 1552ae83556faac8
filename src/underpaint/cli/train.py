"""``underpaint train``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import underpaint
from underpaint.cli.options import Data, Hints, Lenient, Recipes, Rest, Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="New run folder.")],
    hints: Hints = None,
    lenient: Lenient = False,
    rest: Rest = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Split for training; join several with +. Default: train, or all images if there are no split lists."
        ),
    ] = None,
    method: Annotated[str, typer.Option(help="A name from `underpaint methods`, or auto.")] = "auto",
    config: Recipes = None,
    set_: Settings = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Time for the training. Some steps are timed, and the number of passes is chosen to fit."),
    ] = None,
    artifacts: Annotated[
        Path | None,
        typer.Option(help="Folder of trained stages that several runs share. Default: inside the run folder."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and exit.")] = False,
) -> None:
    """Train a network on hints. After Ctrl-C, --resume continues the run."""
    from underpaint.cli.progress import Bar
    from underpaint.training.beginning import require_place
    from underpaint.training.launched import log_errors_only
    from underpaint.workflows.train import is_follower, resumed_settings

    bar = Bar()
    if silent := is_follower(set_ or [], config or []):
        log_errors_only()
    if not dry_run and not silent:
        require_place(out, resume=resume)
    settings: Mapping[str, Any] | Sequence[str] = set_ or []
    if resume and minutes is not None:
        settings, minutes = resumed_settings(out, settings, minutes)
    planned = underpaint.plan(
        data,
        hints=hints or [],
        method=method,
        settings=settings,
        config=config or [],
        split=split,
        rest=rest,
        minutes=minutes,
        lenient=lenient,
    )
    if silent:
        if not dry_run:
            planned.train(out, resume=resume, store=artifacts)
        return
    for line in planned.words():
        bar.console.print(line, markup=False)
    if dry_run:
        for note in planned.notes:
            bar.note(note)
        return
    with bar:
        planned.train(out, resume=resume, store=artifacts, reporter=bar)
    typer.echo(f"trained: {out}\nnext: underpaint predict {out} IMAGES -o MASKS")
