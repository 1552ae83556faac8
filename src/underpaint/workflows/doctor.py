"""What is wrong with a data set, before any minute of training."""

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
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Examine a data set and its hints; problems are findings in the report, not errors.

    Args:
        data: Data-set folder, as `underpaint.train` takes it.
        hints: Files or folders of hints; without them the data set's masks or annotations.
        rest: Class of what no annotation covers, as in `underpaint.train`.
        split: Split to learn from; several are joined with '+'. None for ``train``, or everything where there is none.
        workers: Processes.
        on_progress: Called with (done, total) while photographs are decoded.

    Returns:
        The report: ``.blocks`` says whether a training would stop or go wrong, ``.findings`` what to do.

    Example:
        >>> for finding in underpaint.doctor("photographs").findings:  # doctest: +SKIP
        ...     print(finding.what, finding.fix)
    """
    files = as_paths(hints, "hints")
    path = as_path(data, "data")
    return examine(path, hints=files, rest=rest, split=split, workers=workers, progress=on_progress)
