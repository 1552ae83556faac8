"""Checks a data set before training."""

from __future__ import annotations

from collections.abc import Callable

from underpaint.core.paths import AnyPath, SomePaths, as_path, as_paths
from underpaint.doctor import Report, examine


def doctor(
    data: AnyPath,
    *,
    hints: SomePaths = (),
    rest: str | None = None,
    split: str | None = None,
    jobs: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check a data set and its hints. Problems are findings in the report, not exceptions.

    Args:
        data: Data-set folder, as in `underpaint.train`.
        hints: Files or folders of hints; by default the masks or annotations of the data set.
        rest: Class of all pixels without an annotation, as in `underpaint.train`.
        split: Split for training; join several with '+'. None means ``train``, or all images if there is no such split.
        jobs: Number of processes; the report does not depend on it.
        on_progress: Called with (done, total) while images are decoded.

    Returns:
        The report. ``.blocks`` is True if a training would fail or be useless; ``.findings`` lists the problems and
        fixes.

    Example:
        >>> for finding in underpaint.doctor("photographs").findings:  # doctest: +SKIP
        ...     print(finding.what, finding.fix)
    """
    files = as_paths(hints, "hints")
    path = as_path(data, "data")
    return examine(path, hints=files, rest=rest, split=split, workers=jobs, progress=on_progress)
