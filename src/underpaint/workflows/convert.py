"""Converts annotations from one format to another."""

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
    """Convert annotations to another format. The result says what that format cannot contain.

    Args:
        source: A data set, or only an annotation file or folder.
        out: The file or folder to write; it must not exist. If the conversion fails, nothing is written.
        to: Name of the format, such as ``coco``. The error for an unknown name lists all formats.
        rest: Class of all pixels without an annotation; None leaves them unknown.
        instances: Class of the objects, for masks that contain a number for each object and 0 elsewhere.
        objects: Make an object of each connected region of the masks, in formats with polygons or boxes.
        least: With objects: leave out regions with fewer pixels.
        fill: With objects: fill holes up to this number of pixels.
        simplify: With objects: largest deviation of outlines from the edges of the pixels, in pixels.
        before: Called with the planned conversion before anything is written.

    Returns:
        The conversion: ``.hints``, ``.losses`` (what the format cannot contain), ``.left_out`` and ``.notes``.

    Raises:
        DataError: The format is unknown, nothing can be read, or ``out`` exists.
        FormatError: A file does not have the structure of its format.
        ConfigError: A number for objects is out of range, or is given without ``objects``.
        HintError: Annotations contradict their class list or image.

    Example:
        >>> print(underpaint.convert("photographs", "coco.json", to="coco").losses.lines())  # doctest: +SKIP
    """
    target = as_path(out, "out")
    rule = ObjectRule(least, fill, simplify)
    if not objects and rule != ObjectRule():
        raise ConfigError("least, fill and simplify need objects", fix="add objects=True (--objects)")
    planned = plan_conversion(
        as_path(source, "source"), to=to, rest=rest, instances=instances, objects=rule if objects else None
    )
    check_target(target, planned.target)
    if before is not None:
        before(planned)
    planned.write(target)
    return planned
