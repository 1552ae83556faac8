"""Writes YOLO's text labels: a folder with ``data.yaml`` and one label file for each image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from underpaint.annotations.yolo.read import Size
from underpaint.core.atomic import atomic_folder, within
from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.hints.outline import bridged, outline
from underpaint.hints.types import Bitmap, Hints, Point


def write_yolo(path: Path, hints: Sequence[Hints], classes: ClassTable) -> None:
    """Write ``data.yaml`` and ``labels/NAME.txt``.

    Bitmaps and areas with holes become rings that cover the same pixels.

    Args:
        path: The folder. An older one is replaced as a whole at the end.
        hints: The hints of each image, whose size must be known.
        classes: The class table. Classes are numbered from 0 in its order.

    Raises:
        HintError: an image of unknown size, or an unknown class.
        DataError: the folder cannot be written.
    """
    with atomic_folder(path) as folder:
        names = {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(classes.names))}
        (folder / "data.yaml").write_text(yaml.safe_dump(names, allow_unicode=True, sort_keys=False), encoding="utf-8")
        for one in hints:
            lines = [f"{row}\n" for row in _rows(one, classes)]
            within(folder, f"labels/{one.image}.txt").write_text("".join(lines), encoding="utf-8")


def _rows(hints: Hints, classes: ClassTable) -> list[str]:
    where = f"hints of image {hints.image!r}"
    if hints.size is None:
        fix = "give the data set with its images"
        raise HintError("YOLO's labels need the size of the image", where=where, fix=fix)
    height, width = hints.size
    rows = []
    for region in hints.regions:
        for polygon in outline(region) if isinstance(region, Bitmap) else [region]:
            rows.append(_row(classes.index(region.name, where), bridged(polygon), hints.size))
    for box in hints.boxes:
        middle, sides = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2), (box.x1 - box.x0, box.y1 - box.y0)
        rows.append(_row(classes.index(box.name, where), (middle, sides), (height, width)))
    return rows


def _row(label: int, points: Sequence[Point], size: Size) -> str:
    """One line. Floats are written so that they read back exactly."""
    return " ".join([str(label), *(f"{x / size[1]!r} {y / size[0]!r}" for x, y in points)])
