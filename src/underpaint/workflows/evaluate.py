"""From masks and ground truth to scores."""

from __future__ import annotations

from pathlib import Path

from underpaint.datasets.areas import open_with_truth, require_truth
from underpaint.evaluation.compare import Evaluation, evaluate_folder


def evaluate(masks: Path, data: Path, *, split: str = "test", rest: str | None = None, workers: int = 1) -> Evaluation:
    """Score a folder of index masks, made by any tool, against a split's ground truth.

    Args:
        masks: Folder with a PNG for every image of the split.
        data: Data-set folder; annotated areas are the truth where it has no masks.
        split: Name of the split.
        rest: Class of what no annotation covers, where areas are the truth.
        workers: Processes.

    Raises:
        DataError: a mask is missing, of another size, or holds a class outside the table.
    """
    opened = open_with_truth(data, rest=rest)
    require_truth(opened, opened.split(split))
    return evaluate_folder(masks, opened, split, workers=workers)
