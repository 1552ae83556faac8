"""Shapes as JSON objects, for the hints file and the logs of `underpaint paint`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from underpaint.annotations.parsing.fields import Fields
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Point, Polygon, Region, Scribble, Shape


def read_click(fields: Fields) -> Click:
    """A click: ``class``, ``x``, ``y``. Raises `FormatError`."""
    click = Click(fields.text("class"), fields.number("x"), fields.number("y"))
    fields.refuse_rest()
    return click


def read_scribble(fields: Fields) -> Scribble:
    """A scribble: ``class``, ``points``, ``width``. Raises `FormatError`."""
    points = tuple(fields.pairs("points"))
    scribble = Scribble(fields.text("class"), points, fields.number("width", above=0))
    fields.refuse_rest()
    return scribble


def read_box(fields: Fields) -> Box:
    """A box: ``class``, ``x0``, ``y0``, ``x1``, ``y1``. Raises `FormatError`."""
    box = Box(fields.text("class"), *(fields.number(side) for side in ("x0", "y0", "x1", "y1")))
    fields.refuse_rest()
    return box


def read_region(fields: Fields) -> Region:
    """A polygon (``points``, ``holes``) or a bitmap (``runs``), of a ``class`` or ``ignored``. Raises `FormatError`."""
    name = _region_name(fields)
    region: Region
    if "runs" in fields:
        corner = (fields.whole("x"), fields.whole("y"))
        size = (fields.whole("width", low=1), fields.whole("height", low=1))
        region = Bitmap(name, *corner, *size, tuple(fields.wholes("runs", low=0)))
    else:
        region = Polygon(name, tuple(fields.pairs("points")), tuple(map(tuple, fields.rings("holes"))))
    fields.refuse_rest()
    return region


_KINDS: dict[str, Callable[[Fields], Shape]] = {
    "click": read_click,
    "scribble": read_scribble,
    "box": read_box,
    "polygon": read_region,
    "bitmap": read_region,
}


def read_shape(fields: Fields) -> Shape:
    """Read a shape from an object with its kind: ``{"kind": "click", "class": "cat", "x": 4.5, "y": 5.5}``.

    The other fields are those of the hints file.

    Raises:
        FormatError: The kind is unknown, or a field is missing, of another type or unknown.
    """
    kind = fields.text("kind")
    if kind not in _KINDS:
        fields.refuse("kind", ", ".join(_KINDS))
    return _KINDS[kind](fields)


def _region_name(fields: Fields) -> str:
    """The class of a region, or `IGNORED`."""
    if "ignored" not in fields:
        return fields.text("class")
    if fields.value("ignored") is not True:
        fields.refuse("ignored", "true, in place of a class")
    return IGNORED


def shape_record(shape: Shape) -> dict[str, Any]:
    """The JSON object of a shape with its kind, which `read_shape` reads."""
    return {"kind": type(shape).__name__.lower(), **shape_fields(shape)}


def shape_fields(shape: Shape) -> dict[str, Any]:
    """The JSON object of a shape without its kind, for a list of shapes of one kind."""
    if isinstance(shape, Click):
        return {"class": shape.name, "x": shape.x, "y": shape.y}
    if isinstance(shape, Scribble):
        return {"class": shape.name, "points": _points(shape.points), "width": shape.width}
    if isinstance(shape, Box):
        return {"class": shape.name, "x0": shape.x0, "y0": shape.y0, "x1": shape.x1, "y1": shape.y1}
    return _region_fields(shape)


def _region_fields(region: Region) -> dict[str, Any]:
    name = {"ignored": True} if region.name == IGNORED else {"class": region.name}
    if isinstance(region, Bitmap):
        place = {"x": region.x, "y": region.y, "width": region.width, "height": region.height}
        return {**name, **place, "runs": list(region.runs)}
    holes = {"holes": [_points(hole) for hole in region.holes]} if region.holes else {}
    return {**name, "points": _points(region.ring), **holes}


def _points(points: Iterable[Point]) -> list[list[float]]:
    return [list(point) for point in points]
