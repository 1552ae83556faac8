"""Reads VGG Image Annotator (VIA 1 and 2): a project, or its export as JSON or CSV (Dutta et al., ACM MM 2019).

In VIA the annotator chooses the attributes of regions, their headings and their values. The attribute with the class is
found by its usual heading, or else by its values.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.parsing.sniff import holds, is_json
from underpaint.annotations.parsing.table import rows
from underpaint.annotations.parsing.turned import ellipse
from underpaint.annotations.via.attributes import Named, class_attribute, label_of, tags_of
from underpaint.core.errors import FormatError
from underpaint.core.json_text import parse_json, read_json
from underpaint.hints.check import check_hints
from underpaint.hints.ignore import has_area
from underpaint.hints.types import Box, Click, Hints, Point, Polygon, Scribble, Shape
from underpaint.imagefiles.spelling import bare_names

SOURCE = "VIA"

FARTHEST = 1_000_000
"""Ellipses are cut at this number of pixels, which is larger than the side of any image."""


def is_via(path: Path) -> bool:
    """Whether a file looks like a project or an export of VIA."""
    if path.suffix.lower() == ".csv" and path.is_file():
        return holds(path, r"\A[^\n]*region_shape_attributes[^\n]*region_attributes")
    return is_json(path, "{", "filename", "regions", "file_attributes")


@dataclass(frozen=True)
class _Entry:
    """One image of a file: its name, its regions as pairs (shape, attributes), and its own attributes."""

    name: str
    regions: Sequence[tuple[Fields, Named]]
    about: Named


def read_via(path: Path, *, left_out: Counter[str] | None = None) -> dict[str, Hints]:
    """Read a project, or an export as JSON or CSV, as hints by the name of the image.

    Rectangles become boxes, polygons, circles and ellipses regions, polylines scribbles, points clicks. The class is
    the attribute with a usual heading (`table.LABELS`), else the only one whose words name kinds and not single
    objects. An attribute of the file with such a heading gives tags. A region without a class is ignored and counted.

    Args:
        path: The JSON or CSV file.
        left_out: Counts what is left out, by reason; the reader adds to it.

    Raises:
        FormatError: another structure, two images of one name, or several attributes that may be the class.
        HintError: a number is invalid.
    """
    counts: Counter[str] = Counter() if left_out is None else left_out
    entries = list(_of_table(path) if path.suffix.lower() == ".csv" else _of_json(path))
    twice = [name for name, count in Counter(entry.name for entry in entries).items() if count > 1]
    if twice:
        raise FormatError(f"two pictures have the name {twice[0]!r}", where=path, fix="rename one, or remove it")
    key = class_attribute([named for entry in entries for _, named in entry.regions], path)
    names = bare_names(entry.name for entry in entries)
    found = {names[entry.name]: _hints(names[entry.name], entry, key, counts) for entry in entries}
    return {name: hints for name, hints in found.items() if hints.kinds() or hints.unplaced}


def _of_json(path: Path) -> Iterator[_Entry]:
    content = read_json(path)
    metadata = content.get("_via_img_metadata", content) if isinstance(content, dict) else None
    if not isinstance(metadata, dict):
        raise FormatError("no pictures", where=path, accepted='{"a.jpg123": {"filename": "a.jpg", "regions": [...]}}')
    for key, record in metadata.items():
        fields = Fields(record, f"{path}, {key[:40]!r}")
        listed = fields.value("regions")
        every = list(listed.values()) if isinstance(listed, dict) else listed  # VIA 1 numbers them
        if not isinstance(every, list):
            fields.refuse("regions", "a list")
        places = [Fields(one, f"{fields.where}, region {number}") for number, one in enumerate(every)]
        regions = [(one.inner("shape_attributes"), _attributes(one, "region_attributes")) for one in places]
        yield _Entry(fields.text("filename"), regions, _attributes(fields, "file_attributes"))


def _attributes(fields: Fields, key: str) -> Named:
    value = fields.value(key) if key in fields else {}
    if not isinstance(value, dict):
        fields.refuse(key, "an object")
    return value, fields.where


def _of_table(path: Path) -> Iterator[_Entry]:
    """The images of a CSV export. It has a row for each region, and an empty one for an image without regions."""
    table = rows(path)
    _, heading = next(table, (1, []))
    columns = {word.lstrip("#"): place for place, word in enumerate(heading)}
    wanted = ("filename", "file_attributes", "region_shape_attributes", "region_attributes")
    if not columns.keys() >= set(wanted):
        raise FormatError("columns are missing", where=f"{path}:1", accepted=", ".join(wanted))
    found: dict[tuple[str, str], _Entry] = {}
    for number, row in table:
        where = f"{path}:{number}"
        if len(row) != len(heading):
            raise FormatError(f"the row has {len(row)} columns", where=where, accepted=f"{len(heading)}")
        name, about, shape, attributes = (row[columns[key]] for key in wanted)
        size = row[columns["file_size"]] if "file_size" in columns else ""
        entry = found.setdefault((name, size), _Entry(name, [], (_cell(about, where), where)))
        drawn = _cell(shape, where)
        if drawn:
            entry.regions.append((Fields(drawn, where), (_cell(attributes, where), where)))  # type: ignore[attr-defined]
    yield from found.values()


def _cell(text: str, where: str) -> dict[str, Any]:
    value = parse_json(text, where) if text else {}
    if not isinstance(value, dict):
        raise FormatError(f"the cell is {text[:40]!r}", where=where, accepted="a JSON object")
    return value


def _hints(name: str, entry: _Entry, key: str | None, left_out: Counter[str]) -> Hints:
    drawn: list[Shape] = []
    unplaced = 0
    for shape, (attributes, where) in entry.regions:
        made = _shape(shape, label_of(attributes, key, where, left_out))
        drawn += made
        if not made:
            left_out["shapes without area, or of an unknown kind"] += 1
            unplaced += 1
    hints = Hints(
        image=name,
        shapes=tuple(drawn),
        tags=tags_of(*entry.about),
        source=SOURCE,
        unplaced=unplaced,
    )
    check_hints(hints, None, entry.about[1])
    return hints


def _shape(fields: Fields, name: str) -> Sequence[Shape]:
    """The shapes that one region draws; empty where it covers nothing or is of an unknown kind."""
    kind = fields.text("name")
    if kind == "rect":
        x, y, width, height = (fields.number(side) for side in ("x", "y", "width", "height"))
        return [Box(name, x, y, x + width, y + height)] if width > 0 and height > 0 else []
    if kind == "point":
        return [Click(name, fields.number("cx"), fields.number("cy"))]
    if kind in ("circle", "ellipse"):
        radii = tuple(fields.number(side) for side in (("r", "r") if kind == "circle" else ("rx", "ry")))
        turned = math.degrees(fields.number("theta")) if kind == "ellipse" and "theta" in fields else 0.0
        centre = (fields.number("cx"), fields.number("cy"))
        area = ellipse(name, centre, (radii[0], radii[1]), turned, (FARTHEST, FARTHEST)) if min(radii) > 0 else None
        return [area] if area is not None else []
    if kind not in ("polygon", "polyline"):
        return []
    points = _line(fields)
    if kind == "polyline":
        return [Scribble(name, tuple(points))] if points else []
    ring = points[:-1] if len(points) > 1 and points[0] == points[-1] else points
    return [Polygon(name, tuple(ring))] if has_area(ring) else []


def _line(fields: Fields) -> list[Point]:
    xs, ys = fields.value("all_points_x"), fields.value("all_points_y")
    if not (isinstance(xs, list) and isinstance(ys, list) and len(xs) == len(ys) and xs):
        fields.refuse("all_points_x", "a list of numbers, as many as all_points_y")
    flat = [value for point in zip(xs, ys, strict=True) for value in point]
    (points,) = Fields({"all_points": [flat]}, fields.where).flat_points("all_points")
    return points
