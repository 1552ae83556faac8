"""Writes labelme's JSON: a folder with one file for each image."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from underpaint.core.atomic import atomic_folder, within
from underpaint.core.classes import IGNORE_WORD
from underpaint.core.errors import HintError
from underpaint.hints.rasterise import Area, bitmap_area, region_area
from underpaint.hints.types import IGNORED, Bitmap, Hints, Point, Region


def write_labelme(path: Path, hints: Sequence[Hints], files: Mapping[str, str]) -> None:
    """Write a folder with one JSON file for each image.

    Areas with holes are written as masks. Pen widths are lost.

    Args:
        path: The folder. An older one is replaced as a whole at the end.
        hints: The hints of each image.
        files: The file name of each image by its name.

    Raises:
        HintError: an area with holes in an image of unknown size.
        DataError: the folder cannot be written.
    """
    with atomic_folder(path) as folder:
        for one in hints:
            target = within(folder, f"{one.image}.json")
            content = json.dumps(_record(one, files.get(one.image, one.image)), sort_keys=True, allow_nan=False)
            target.write_text(content + "\n", encoding="utf-8")


def _record(hints: Hints, file: str) -> dict[str, Any]:
    height, width = hints.size or (None, None)
    return {
        "version": "5.5.0",  # of labelme: a release that knows masks
        "flags": dict.fromkeys(sorted(hints.tags.present), True) if hints.tags else {},
        "shapes": _shapes(hints),
        "imagePath": PurePosixPath(file).name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def _shapes(hints: Hints) -> list[dict[str, Any]]:
    shapes = [_region(region, hints) for region in hints.regions]
    shapes += [_plain(box.name, "rectangle", [(box.x0, box.y0), (box.x1, box.y1)]) for box in hints.boxes]
    shapes += [_plain(scribble.name, "linestrip", scribble.points) for scribble in hints.scribbles]
    shapes += [_plain(click.name, "point", [(click.x, click.y)]) for click in hints.clicks]
    return shapes


def _plain(name: str, kind: str, points: Iterable[Point]) -> dict[str, Any]:
    placed = [list(point) for point in points]
    return {"label": name, "shape_type": kind, "points": placed, "group_id": None, "flags": {}, "description": ""}


def _region(region: Region, hints: Hints) -> dict[str, Any]:
    name = IGNORE_WORD if region.name == IGNORED else region.name
    if isinstance(region, Bitmap):
        return _masked(name, bitmap_area(region), region.x, region.y)
    if not region.holes:
        return _plain(name, "polygon", region.ring)
    if hints.size is None:
        raise HintError("an area with holes needs the size of the image", where=f"image {hints.image!r}")
    (rows, columns), area = region_area(region, hints.size)
    return _masked(name, area, columns.start, rows.start)


def _masked(name: str, area: Area, x: int, y: int) -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.fromarray(area.astype(np.uint8) * 255 if area.size else np.zeros((1, 1), np.uint8)).save(buffer, format="PNG")
    corners = [(x, y), (x + max(area.shape[1], 1) - 1, y + max(area.shape[0], 1) - 1)]
    return {**_plain(name, "mask", corners), "mask": base64.b64encode(buffer.getvalue()).decode("ascii")}
