"""The small data set and the quick settings that the trials of this folder share."""

from __future__ import annotations

from pathlib import Path

from underpaint import simulate
from underpaint.data.synthetic import write_dataset

QUICK = (
    *("--set", "train.batch=4"),
    *("--set", "views.crop=[32,32]"),
    *("--set", "train.epochs=1"),
    *("--set", "train.checkpoint_every=2"),
    *("--set", "train.workers=0"),
)
"""Settings of a training of a few seconds."""


def make_data(folder: Path) -> tuple[Path, Path]:
    """A data set of 8 + 4 scenes of 64 x 80 pixels, and the file of its scribbles."""
    data, hints = folder / "data", folder / "scribbles.jsonl"
    if not hints.is_file():
        write_dataset(data, train=8, test=4, size=(64, 80), seed=0)
        simulate(data, hints, kind="scribbles")
    return data, hints
