"""Writes COCO instances JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from underpaint.annotations.coco.annotation import VISIBLE
from underpaint.annotations.coco.rle import rle_of
from underpaint.core.atomic import write_atomic
from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.hints.types import Hints, Point, Polygon, Region


def write_coco(
    path: Path,
    hints: Sequence[Hints],
    classes: ClassTable,
    files: Mapping[str, str],
    ids: Mapping[str, int] | None = None,
) -> None:
    """Write COCO instances.

    Polygons without holes are written as rings, other areas as run lengths, clicks as key points.

    Args:
        path: The JSON file.
        hints: The hints of each image. Images are numbered from 1 in this order.
        classes: The class table. Its classes become the categories, numbered from 1 in its order.
        files: The ``file_name`` of each image by its name. An image that is not in it is written under its name.
        ids: Category ids to keep, by class name. Other classes are numbered on from the largest.

    Raises:
        HintError: an area must be written as pixels in an image of unknown size, or a class is unknown.
        DataError: the file cannot be written.
    """
    numbers = _category_ids(classes, ids or {})
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, one in enumerate(hints, start=1):
        size = {"height": one.size[0], "width": one.size[1]} if one.size else {}
        images.append({"id": number, "file_name": files.get(one.image, one.image), **size})
        for name, record in _annotations(one):
            category = numbers[classes.index(name, f"hints of image {one.image!r}")]
            fixed = {"id": len(annotations) + 1, "image_id": number, "category_id": category, "iscrowd": 0}
            annotations.append({**fixed, **record})
    categories = [{"id": number, "name": name} for number, name in zip(numbers, classes.names, strict=True)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_atomic(path, json.dumps(content, sort_keys=True, allow_nan=False).encode())


def _category_ids(classes: ClassTable, kept: Mapping[str, int]) -> list[int]:
    """An id for each class of the table: the one to keep, or else the next free one."""
    taken = [kept[name] for name in classes.names if name in kept]
    if len(set(taken)) < len(taken):
        taken, kept = [], {}
    free = iter(range(max(taken, default=0) + 1, max(taken, default=0) + len(classes) + 1))
    return [kept[name] if name in kept else next(free) for name in classes.names]


def _annotations(hints: Hints) -> Iterator[tuple[str, dict[str, Any]]]:
    """The class and the fields of each annotation. Regions keep their order."""
    for region in hints.regions:
        yield region.name, _segmentation(region, hints)
    for box in hints.boxes:
        sides = [box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0]
        yield box.name, {"bbox": sides, "area": box.area, "segmentation": []}
    for click in hints.clicks:
        place = {"keypoints": [click.x, click.y, VISIBLE], "num_keypoints": 1}
        yield click.name, {**place, "bbox": [click.x, click.y, 0, 0], "area": 0, "segmentation": []}


def _segmentation(region: Region, hints: Hints) -> dict[str, Any]:
    if isinstance(region, Polygon) and not region.holes:
        x, y = (np.array(axis) for axis in zip(*region.ring, strict=True))
        sides = [float(v) for v in (x.min(), y.min(), np.ptp(x), np.ptp(y))]
        return {"segmentation": [_flat(region.ring)], "area": _area(region.ring), "bbox": sides}
    if hints.size is None:
        fix = "give the data set with its images"
        raise HintError("run lengths need the size of the image", where=f"image {hints.image!r}", fix=fix)
    counts, pixels = rle_of(region, hints.size)
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)).tolist() or [0, -1] for axis in (1, 0))
    sides = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
    segmentation = {"size": list(hints.size), "counts": counts}
    return {"segmentation": segmentation, "area": int(pixels.sum()), "bbox": sides}


def _flat(ring: Sequence[Point]) -> list[float]:
    return [value for point in ring for value in point]


def _area(ring: Sequence[Point]) -> float:
    """The area of a polygon by the shoelace formula."""
    x, y = np.array(ring, np.float64).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
