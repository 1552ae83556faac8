"""Reads the hints of a paint project, also while its server is running."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from underpaint.annotations.strokes.fold import Fold
from underpaint.annotations.strokes.log import logs, read_log, writer_of
from underpaint.annotations.strokes.project import read_project
from underpaint.hints.types import Hints


def read_strokes(path: Path, *, remarks: Counter[str] | None = None) -> dict[str, Hints]:
    """Read a paint project as hints by image name, in alphabetical order.

    Args:
        path: The folder of the project.
        remarks: Counts what is left out; this function adds to it.

    Raises:
        FormatError: ``project.json`` or a log is damaged. The error names file and line.
        HintError: A shape is invalid.
    """
    read_project(path)
    counts = Counter() if remarks is None else remarks
    fold = Fold()
    for log in logs(path):
        fold.extend((operation for operation, _ in read_log(log, counts)), writer_of(log))
    folded = {name: fold.image(name).hints(name) for name in fold.images()}
    return {name: hints for name, hints in folded.items() if hints.states_anything()}
