"""``underpaint evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import underpaint


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(
    masks: Annotated[Path, typer.Argument(help="Folder of index masks, one PNG per image.")],
    data: Annotated[Path, typer.Argument(help="Data set with ground truth.")],
    split: Annotated[str, typer.Option(help="Split to score.")] = "test",
    rest: Annotated[
        str | None,
        typer.Option(help="Class of all pixels without an annotation, if annotated areas are the ground truth."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Score masks: pooled mIoU, mean class accuracy, pixel accuracy and boundary IoU, in total and for each class."""
    from underpaint.cli.tables import evaluation_table

    result = underpaint.evaluate(masks, data, split=split, rest=rest)
    if as_json:
        typer.echo(json.dumps(result.to_json(), indent=1, sort_keys=True))
    else:
        evaluation_table(result)
