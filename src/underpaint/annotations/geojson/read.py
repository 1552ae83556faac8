"""Reads GeoJSON in pixel coordinates, as QuPath writes it: one file for each image, a feature for each shape.

GeoJSON is made for maps: by default its numbers are degrees (RFC 7946, section 4). QuPath and other tools for images
write pixels of the full image, y down. A file does not state which of the two it contains. Therefore a file that is
certainly a map is refused with the reason, so that its numbers are never used as pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from underpaint.annotations.geojson.maps import (
    GEOPACKAGE,
    Layer,
    geopackage_layers,
    is_geopackage,
    named_crs,
    on_image,
    placed,
)
from underpaint.annotations.parsing.fields import finite
from underpaint.annotations.parsing.sniff import files_of, is_json
from underpaint.core.classes import IGNORE_WORD
from underpaint.core.errors import FormatError
from underpaint.core.json_text import IMAGE_BYTES, read_json
from underpaint.hints.check import check_hints
from underpaint.hints.fit import SLACK
from underpaint.hints.ignore import has_area, set_aside, thin
from underpaint.hints.types import IGNORED, Click, Hints, Point, Polygon, Scribble
from underpaint.imagefiles.images import find_files
from underpaint.imagefiles.spelling import bare_names

SOURCE = "GeoJSON"

ENDINGS = frozenset({".geojson", ".json", GEOPACKAGE})

FARTHEST = 1_000_000.0
"""More pixels than the side of any image has. Coordinates in metres on a map (UTM, web mercator) are mostly larger."""

PIXELS = "pixelCoordinates"
"""A member of files written by underpaint. It states that coordinates are pixels (RFC 7946, section 6.1, allows it)."""

IGNORE = "Ignore*"
"""The class of QuPath for areas to be ignored."""

STAR = "*"
"""QuPath does not train classes whose names end with this character (``PathClassTools.isIgnoredClass``)."""

PIXELS_FIX = "export pixel coordinates, or transform them by the affine transform of the raster, y down"


def is_geojson(path: Path) -> bool:
    """Whether a file, or the first one of a folder, looks like GeoJSON."""
    first = files_of(path, ENDINGS)[:1]
    return any(is_geopackage(file) or any(is_json(file, start, "type", "geometry") for start in "{[") for file in first)


def read_geojson(
    path: Path, *, left_out: Counter[str] | None = None, images: Mapping[str, Path] | None = None
) -> dict[str, Hints]:
    """Read a GeoJSON file, or a folder of them at any depth, as hints by the name of the file, which is the image's.

    The class is ``properties.classification.name`` (QuPath), or the text ``properties.classification``, ``class`` or
    ``label``. Shapes of a class that ends in a star are ignored. Polygons with their holes and multi-polygons
    become regions, points clicks, lines scribbles with the usual pen. Accepted are a FeatureCollection, one Feature,
    and a bare list of features.

    Args:
        path: The file or folder.
        left_out: Counts what is left out, by reason; the reader adds to it.
        images: The image files by name, for shapes in map coordinates: a GeoPackage, or a text that names its
            coordinate system as ``crs``. Each image gets the shapes that overlap it, independent of the file's name.

    Raises:
        FormatError: another structure, or coordinates of a map. The error names the file and the feature.
    """
    counts: Counter[str] = Counter() if left_out is None else left_out
    files = find_files(path, ENDINGS) if path.is_dir() else {path.stem: path}
    on_maps = {name: layers for name, file in files.items() if (layers := _layers(file))}
    pixels = {name: file for name, file in files.items() if name not in on_maps}
    found = {image: _read(image, read_json(pixels[name], max_bytes=IMAGE_BYTES), pixels[name], counts)
             for name, image in bare_names(pixels).items()}  # fmt: skip
    for name, layers in on_maps.items():
        for image, features in _by_image(layers, images or {}, files[name]).items():
            hints = _read(image, {PIXELS: True, "type": "FeatureCollection", "features": features}, files[name], counts)
            before = found.get(image)
            found[image] = hints if before is None else replace(before, shapes=(*before.shapes, *hints.shapes))
    counts += Counter()  # removes counts of 0
    return {name: hints for name, hints in found.items() if hints.states_anything()}


@dataclass
class _Drawn:
    """The shapes of one file that were read so far."""

    left_out: Counter[str]
    shapes: list[Click | Scribble | Polygon] = field(default_factory=list)
    unplaced: int = 0

    def add_polygon(self, name: str, rings: Any, where: str) -> None:
        """Add the polygon of an outer ring and its holes.

        Where the ring covers nothing, the pixels along it are ignored.
        """
        outer, *holes = [_ring(ring, where) for ring in _list(rings, where)] or [()]
        real = [hole for hole in holes if has_area(hole)]
        flat = len(holes) - len(real) + (not has_area(outer))
        if flat:
            self.left_out["rings that cover nothing"] += flat
        if has_area(outer):
            self.shapes.append(Polygon(name, outer, tuple(real)))
        elif outer:
            self.shapes.append(thin(outer))


def _layers(path: Path) -> list[Layer]:
    """The layers of a file in map coordinates; none for a file in pixels."""
    if is_geopackage(path):
        return geopackage_layers(path)
    content = read_json(path, max_bytes=IMAGE_BYTES)
    crs = named_crs(content)
    return [] if crs is None or content.get(PIXELS) is True else [Layer(crs, _features({**content, "crs": None}, path))]


def _by_image(layers: list[Layer], images: Mapping[str, Path], path: Path) -> dict[str, list[dict[str, Any]]]:
    """The features of each image with a place on the map, in its pixels."""
    known = placed(images, path)
    found = {name: [f for layer in layers for f in on_image(layer, about, path)] for name, about in known.items()}
    return {name: features for name, features in found.items() if features}


def _read(image: str, content: Any, path: Path, left_out: Counter[str]) -> Hints:
    drawn = _Drawn(left_out)
    for number, feature in enumerate(_features(content, path)):
        where = f"{path}, feature {number}"
        if not isinstance(feature, dict):
            raise FormatError("the feature is not an object", where=where, accepted='{"type": "Feature", ...}')
        name, geometry = _class(feature.get("properties")), feature.get("geometry")
        if not isinstance(geometry, dict):
            left_out["features without a shape"] += 1
            drawn.unplaced += name is not None
            continue
        left_out["shapes without a class"] += name is None
        _add(drawn, IGNORED if name is None else name, geometry, where)
    if not (isinstance(content, dict) and content.get(PIXELS) is True):
        _refuse_map(drawn, path)
    hints = Hints(
        image=image,
        shapes=tuple(drawn.shapes),
        source=SOURCE,
        unplaced=drawn.unplaced,
    )
    hints = set_aside(hints)
    check_hints(hints, None, path)
    return hints


def _features(content: Any, path: Path) -> list[Any]:
    if isinstance(content, dict) and content.get("crs") is not None:
        raise FormatError("the file names a coordinate system of a map (crs)", where=path, fix=PIXELS_FIX)
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content.get("features")
    if isinstance(content, dict) and content.get("type") == "Feature":
        return [content]
    if not isinstance(content, list):
        raise FormatError("no features", where=path, accepted="a FeatureCollection, a Feature, or a list of features")
    return content


def _class(properties: Any) -> str | None:
    """The class of a feature.

    QuPath writes ``classification: {"name": ...}``, and ``{"names": [...]}`` for a class within a class.
    """
    if not isinstance(properties, dict):
        return None
    label = properties.get("classification") or properties.get("class") or properties.get("label")
    if isinstance(label, dict):
        names = label.get("names")
        texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
        label = ": ".join(texts) or label.get("name")
    if not (isinstance(label, str) and label):
        return None
    return IGNORE_WORD if any(part.endswith(STAR) for part in label.split(": ")) else label


def _add(drawn: _Drawn, name: str, geometry: dict[str, Any], where: str) -> None:
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "Point":
        drawn.shapes.append(Click(name, *_position(coordinates, where)))
    elif kind == "MultiPoint":
        drawn.shapes.extend(Click(name, *point) for point in _line(coordinates, where))
    elif kind == "LineString":
        drawn.shapes.append(_stroke(name, coordinates, where))
    elif kind == "MultiLineString":
        drawn.shapes.extend(_stroke(name, line, where) for line in _list(coordinates, where))
    elif kind == "Polygon":
        drawn.add_polygon(name, coordinates, where)
    elif kind == "MultiPolygon":
        for rings in _list(coordinates, where):
            drawn.add_polygon(name, rings, where)
    elif kind == "GeometryCollection":
        drawn.left_out["shapes of type 'GeometryCollection'"] += 1
        for inner in geometry.get("geometries") or [None]:
            if isinstance(inner, dict) and inner.get("type") != kind:
                _add(drawn, IGNORED, inner, where)
            else:  # no geometry, or a collection within another, which the RFC advises against
                drawn.unplaced += 1
    else:
        drawn.left_out[f"shapes of type {kind[:20] if isinstance(kind, str) else None!r}"] += 1
        drawn.unplaced += 1


def _stroke(name: str, line: Any, where: str) -> Scribble:
    """A stroke. Two points at one place are a dot."""
    points = _line(line, where)
    return Scribble(name, points[:1] if len(points) == 2 and points[0] == points[1] else points)


def _ring(ring: Any, where: str) -> tuple[Point, ...]:
    """The points of a ring without the last one, which repeats the first in the file."""
    points = _line(ring, where)
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points


def _line(line: Any, where: str) -> tuple[Point, ...]:
    points = tuple(_position(position, where) for position in _list(line, where))
    if not points:
        raise FormatError("a line without points", where=where, accepted="[[x, y], ...]")
    return points


def _position(position: Any, where: str) -> Point:
    """The point [x, y]. Further numbers (a height) are ignored, as the RFC allows."""
    x, y = map(finite, position[:2]) if isinstance(position, list) and len(position) >= 2 else (None, None)
    if x is None or y is None:
        raise FormatError("a position is not [x, y]", where=where, accepted="two finite numbers")
    return x, y


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise FormatError("the coordinates are not a list", where=where, accepted="lists as in RFC 7946")
    return value


def _refuse_map(drawn: _Drawn, path: Path) -> None:
    """Refuse coordinates that cannot be pixels: too far away, negative degrees, or outlines smaller than a pixel."""
    lines = [one.ring if isinstance(one, Polygon) else one.points for one in drawn.shapes if not isinstance(one, Click)]
    lines = [line for line in lines if len(line) > 1]
    clicks = [(one.x, one.y) for one in drawn.shapes if isinstance(one, Click)]
    points = clicks + [point for line in lines for point in line]
    if not points:
        return
    reason = None
    if any(abs(x) > FARTHEST or abs(y) > FARTHEST for x, y in points):
        reason = f"more than {FARTHEST:.0f} pixels from the corner, like metres on a map"
    elif all(abs(x) <= 180 and abs(y) <= 90 for x, y in points):
        if any(x < -SLACK or y < -SLACK for x, y in points):
            reason = "negative, and within 180 and 90, like degrees"
        elif lines and all(_extent(line) < 1 for line in lines):
            reason = "so close that every outline is smaller than a pixel, like degrees"
    if reason:
        raise FormatError(f"the coordinates are {reason}", where=path, accepted="pixels", fix=PIXELS_FIX)


def _extent(line: tuple[Point, ...]) -> float:
    xs, ys = [x for x, _ in line], [y for _, y in line]
    return max(max(xs) - min(xs), max(ys) - min(ys))
