"""What is wrong with a data set, before any minute of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from underpaint.doctor import Report, examine


def doctor(
    data: Path, *, hints: Sequence[Path] = (), rest: str | None = None, split: str | None = None, workers: int = 1
) -> Report:
    """Examine a data set and its hints; problems are findings in the report, not errors.

    Args:
        data: Data-set folder.
        hints: Files or folders of hints, as `train` takes them; without them the data set's masks or annotations.
        rest: Class of what no annotation covers, as in `train`.
        split: Split to learn from; several are joined with '+'. None for ``train``, or everything where there is none.
        workers: Processes.
    """
    return examine(data, hints=hints, rest=rest, split=split, workers=workers)
