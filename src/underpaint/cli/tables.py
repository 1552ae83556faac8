"""The table of scores on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from underpaint.evaluation.compare import Evaluation


def evaluation_table(result: Evaluation) -> None:
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
