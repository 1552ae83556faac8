"""From one annotation format to another."""

from __future__ import annotations

from collections.abc import Callable

from underpaint.core.paths import AnyPath, as_path
from underpaint.datasets.convert import Conversion, check_target, plan_conversion


def convert(
    source: AnyPath,
    out: AnyPath,
    *,
    to: str,
    rest: str | None = None,
    instances: str | None = None,
    before: Callable[[Conversion], None] | None = None,
) -> Conversion:
    """Write annotations in another format, whole or not at all; the result says what was lost.

    Args:
        source: A data set, or an annotation file or folder by itself.
        out: The file or folder to make; it must not exist.
        to: Name of the format, such as ``coco``; an unknown one is refused with the list of all.
        rest: Class of what no annotation covers; None leaves it unknown.
        instances: Class of the objects, where masks hold a number for each object and 0 behind them.
        before: Called with what will be written and lost, before anything is written.

    Returns:
        What was written: ``.hints``, ``.losses`` (what the format cannot hold), ``.left_out`` and ``.notes``.

    Raises:
        DataError: an unknown format, nothing that can be read, or something under the name ``out`` already.
        FormatError: a file does not have the structure of its format.
        HintError: annotations that contradict their class list or image.

    Example:
        >>> print(underpaint.convert("photographs", "coco.json", to="coco").losses.lines())  # doctest: +SKIP
    """
    target = as_path(out, "out")
    planned = plan_conversion(as_path(source, "source"), to=to, rest=rest, instances=instances)
    check_target(target, planned.target)
    if before is not None:
        before(planned)
    planned.write(target)
    return planned
