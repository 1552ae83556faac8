"""From one annotation format to another."""

from __future__ import annotations

from pathlib import Path

from underpaint.datasets.convert import Conversion, plan_conversion


def convert(source: Path, out: Path, *, to: str, rest: str | None = None, instances: str | None = None) -> Conversion:
    """Write annotations in another format, whole or not at all; the result says what was lost.

    Args:
        source: A data set, or an annotation file or folder by itself.
        out: The file or folder to make; it must not exist.
        to: Name of the format; see `FORMATS`.
        rest: Class of what no annotation covers; None leaves it unknown.
        instances: Class of the objects, where masks hold a number for each object and 0 behind them.

    Raises:
        UnderpaintError: as `plan_conversion` and `Conversion.write`.
    """
    planned = plan_conversion(source, to=to, rest=rest, instances=instances)
    planned.write(out)
    return planned
