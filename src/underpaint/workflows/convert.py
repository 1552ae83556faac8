"""From one annotation format to another."""

from __future__ import annotations

from collections.abc import Callable

from underpaint.core.errors import ConfigError
from underpaint.core.paths import AnyPath, as_path
from underpaint.datasets.convert import Conversion, check_target, plan_conversion
from underpaint.datasets.objects import ObjectRule


def convert(
    source: AnyPath,
    out: AnyPath,
    *,
    to: str,
    rest: str | None = None,
    instances: str | None = None,
    objects: bool = False,
    least: int = 1,
    fill: int = 0,
    simplify: float = 0.0,
    before: Callable[[Conversion], None] | None = None,
) -> Conversion:
    """Write annotations in another format, whole or not at all; the result says what was lost.

    Args:
        source: A data set, or an annotation file or folder by itself.
        out: The file or folder to make; it must not exist.
        to: Name of the format, such as ``coco``; an unknown one is refused with the list of all.
        rest: Class of what no annotation covers; None leaves it unknown.
        instances: Class of the objects, where masks hold a number for each object and 0 behind them.
        objects: Make an object of each connected region of the masks, in formats with polygons or boxes.
        least: With objects: regions of fewer pixels are left out.
        fill: With objects: holes of at most so many pixels are filled.
        simplify: With objects: pixels by which outlines may differ from the edges of the pixels.
        before: Called with what will be written and lost, before anything is written.

    Returns:
        What was written: ``.hints``, ``.losses`` (what the format cannot hold), ``.left_out`` and ``.notes``.

    Raises:
        DataError: an unknown format, nothing that can be read, or something under the name ``out`` already.
        FormatError: a file does not have the structure of its format.
        ConfigError: numbers of objects out of range, or without objects.
        HintError: annotations that contradict their class list or image.

    Example:
        >>> print(underpaint.convert("photographs", "coco.json", to="coco").losses.lines())  # doctest: +SKIP
    """
    target = as_path(out, "out")
    rule = ObjectRule(least, fill, simplify)
    if not objects and rule != ObjectRule():
        raise ConfigError("least, fill and simplify are of objects", fix="ask for objects as well (--objects)")
    planned = plan_conversion(
        as_path(source, "source"), to=to, rest=rest, instances=instances, objects=rule if objects else None
    )
    check_target(target, planned.target)
    if before is not None:
        before(planned)
    planned.write(target)
    return planned
