"""Writes the JSON of VGG Image Annotator, as VIA 2 imports it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.table import LABELS
from underpaint.annotations.via.attributes import TAGS
from underpaint.core.atomic import write_atomic
from underpaint.hints.outline import bridged, outline
from underpaint.hints.types import Bitmap, Hints, Point


def write_via(path: Path, hints: Sequence[Hints], files: Mapping[str, str]) -> None:
    """Write the JSON of annotations that VIA 2 imports.

    Bitmaps and areas with holes become rings that cover the same pixels.

    Args:
        path: The file.
        hints: The hints of each image.
        files: The file name of each image by its name.

    Raises:
        DataError: the file cannot be written.
    """
    content = {}
    for one in hints:
        file = files.get(one.image, one.image)
        regions = [{"shape_attributes": shape, "region_attributes": {LABELS[0]: name}} for name, shape in _shapes(one)]
        about = {TAGS: dict.fromkeys(sorted(one.tags.present), True)} if one.tags else {}
        # VIA names an entry by file and size in bytes, and takes -1 for a size that it need not know.
        content[f"{file}-1"] = {"filename": file, "size": -1, "regions": regions, "file_attributes": about}
    write_atomic(path, json.dumps(content, sort_keys=True, allow_nan=False, indent=1).encode() + b"\n")


def _shapes(hints: Hints) -> Iterator[tuple[str, dict[str, Any]]]:
    for region in hints.regions:
        for polygon in outline(region) if isinstance(region, Bitmap) else [region]:
            yield region.name, _points("polygon", bridged(polygon))
    for scribble in hints.scribbles:
        yield scribble.name, _points("polyline", scribble.points)
    for box in hints.boxes:
        sides = {"x": box.x0, "y": box.y0, "width": box.x1 - box.x0, "height": box.y1 - box.y0}
        yield box.name, {"name": "rect", **sides}
    for click in hints.clicks:
        yield click.name, {"name": "point", "cx": click.x, "cy": click.y}


def _points(kind: str, points: Iterable[Point]) -> dict[str, Any]:
    xs, ys = zip(*points, strict=True)
    return {"name": kind, "all_points_x": list(xs), "all_points_y": list(ys)}
