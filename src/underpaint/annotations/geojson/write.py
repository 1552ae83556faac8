"""Writes hints as GeoJSON in pixel coordinates, one file for each image, as QuPath imports it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from underpaint.annotations.geojson.read import IGNORE, PIXELS
from underpaint.core.atomic import atomic_folder, within
from underpaint.core.errors import HintError
from underpaint.hints.check import check_hints
from underpaint.hints.outline import outline
from underpaint.hints.types import IGNORED, Bitmap, Hints, Point


def write_geojson(path: Path, hints: Iterable[Hints], *, file: Callable[[str], str] = str) -> None:
    """Write a folder with a file ``IMAGE.geojson`` for each image that has clicks, scribbles or regions.

    Bitmaps become polygons along the edges of their pixels, which cover the same pixels. Everything that the format
    cannot store is left out: boxes, tags, pen widths, mask files, sizes, seconds and the source.

    Args:
        path: The folder. An older one under this name is replaced at the end.
        hints: The hints of each image.
        file: Gives the file name of an image.

    Raises:
        HintError: an image is given twice, or hints contradict themselves.
        DataError: a name leads out of the folder, or writing fails. Nothing is left behind.
    """
    with atomic_folder(path) as folder:
        for one in hints:
            check_hints(one, None, f"{path}: image {one.image!r}")
            features = list(_features(one))
            if features:
                target = within(folder, f"{file(one.image)}.geojson")
                if target.exists():
                    raise HintError(f"the image {one.image!r} is given twice", where=path)
                content = {"type": "FeatureCollection", PIXELS: True, "features": features}
                text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
                target.write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")


def _features(hints: Hints) -> Iterator[dict[str, Any]]:
    for click in hints.clicks:
        yield feature(click.name, "Point", [click.x, click.y])
    for scribble in hints.scribbles:
        # A line must have at least two points, so a dot is written as two equal points.
        points = scribble.points if len(scribble.points) > 1 else scribble.points * 2
        yield feature(scribble.name, "LineString", _points(points))
    for region in hints.regions:
        name = IGNORE if region.name == IGNORED else region.name
        polygons = outline(region) if isinstance(region, Bitmap) else [region]
        rings = [[_closed(polygon.ring), *map(_closed, polygon.holes)] for polygon in polygons]
        if len(rings) == 1:
            yield feature(name, "Polygon", rings[0])
        elif rings:
            yield feature(name, "MultiPolygon", rings)


def feature(name: str, kind: str, coordinates: list[Any]) -> dict[str, Any]:
    """A feature with its class as QuPath reads it."""
    properties = {"objectType": "annotation", "classification": {"name": name}}
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


def _points(points: Sequence[Point]) -> list[list[float]]:
    return [list(point) for point in points]


def _closed(ring: Sequence[Point]) -> list[list[float]]:
    """The ring with its first point again at the end, as the format requires."""
    return _points([*ring, ring[0]])
