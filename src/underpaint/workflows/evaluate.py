"""From masks and ground truth to scores."""

from __future__ import annotations

from pathlib import Path

from underpaint.evaluation.compare import Evaluation, evaluate_folder
from underpaint.formats.dataset import open_dataset


def evaluate(masks: Path, data: Path, *, split: str = "test", workers: int = 1) -> Evaluation:
    """Score a folder of index masks, made by any tool, against a split's ground truth.

    Args:
        masks: Folder with a PNG for every image of the split.
        data: Data-set folder.
        split: Name of the split.
        workers: Processes.

    Raises:
        DataError: a mask is missing, of another size, or holds a class outside the table.
    """
    return evaluate_folder(masks, open_dataset(data), split, workers=workers)
