"""``underpaint evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import underpaint

if TYPE_CHECKING:
    from underpaint.evaluation.compare import Evaluation


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
    result = underpaint.evaluate(masks, data, split=split, rest=rest)
    if as_json:
        typer.echo(json.dumps(result.to_json(), indent=1, sort_keys=True))
    else:
        _print_table(result)


def _print_table(result: Evaluation) -> None:
    """Print the pooled scores and one row for each class."""
    console = Console()
    scores, boundary = result.scores, result.boundary
    table = Table("class", "IoU", "recall", "precision", "boundary IoU")
    for i, name in enumerate(result.classes.names):
        values = (scores.iou[i], scores.recall[i], scores.precision[i], boundary.iou[i])
        table.add_row(escape(name), *("-" if value is None else f"{value:.1f}" for value in values))
    console.print(table)
    console.print(
        f"{len(result.images)} images of split {escape(result.split)}: mIoU {scores.miou:.2f}, "
        f"mean class accuracy {scores.mean_accuracy:.2f}, pixel accuracy {scores.pixel_accuracy:.2f}, "
        f"boundary IoU {boundary.mean:.2f}"
    )
    if scores.absent:
        names = ", ".join(result.classes.names[i] for i in scores.absent)
        console.print(f"these classes are not in the ground truth and do not count in the means: {escape(names)}")
