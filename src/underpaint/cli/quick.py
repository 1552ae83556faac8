"""``underpaint quick``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import underpaint
from underpaint.cli.options import Data, Hints, Lenient, Recipes, Rest, Settings
from underpaint.core.errors import printable


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(quick)


def quick(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the masks.")],
    hints: Hints = None,
    lenient: Lenient = False,
    rest: Rest = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split whose hints are used; join several with +. Default: train, or all images."),
    ] = None,
    config: Recipes = None,
    set_: Settings = None,
    crf: Annotated[bool, typer.Option(help="Let borders follow the edges of the image, with a dense CRF.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Make masks of all images from hints in seconds. Masks of hinted images agree with their hints."""
    from underpaint.cli.progress import Bar

    with Bar() as bar:
        made = underpaint.quick(
            data,
            out,
            hints=hints or [],
            settings=set_ or [],
            config=config or [],
            split=split,
            rest=rest,
            lenient=lenient,
            crf=crf,
            reporter=bar,
        )
    summary = made.masks
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "masks": summary.written,
                    "hinted": list(made.hinted),
                    "skipped": dict(summary.skipped),
                    "notes": list(made.notes),
                },
                indent=1,
            )
        )
    else:
        typer.echo(f"{summary.written} mask(s) in {out}, {len(made.hinted)} of them of hinted images")
        for note in made.notes:
            typer.echo(printable(f"note: {note}", lines=True), err=True)
        for name, reason in summary.skipped.items():
            typer.echo(printable(f"skipped {name}: {reason}"), err=True)
    if summary.skipped:
        raise typer.Exit(1)
