"""Reads the results of one annotation of Label Studio: shapes with a label, and choices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from underpaint.annotations.label_studio.rle import decode_brush
from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.parsing.turned import ANGLES, ellipse, turned_box
from underpaint.hints.bitmap_runs import tight_bitmap
from underpaint.hints.ignore import has_area, thin
from underpaint.hints.types import IGNORED, Box, Click, Point, Polygon, Shape
from underpaint.imagefiles.decode import MAX_PIXELS

DIGITS = 6
"""How many decimals of a pixel are kept, so that a conversion to percent and back gives the same number."""

NO_SHAPES = frozenset({"choices", "textarea", "rating", "number", "datetime", "taxonomy", "pairwise", "relation", None})
"""Types of results that describe an image or a region, but are not regions themselves."""

UNITS = 100.0
"""Coordinates are percent of the image's sides."""


@dataclass
class Drawn:
    """The shapes and tags of one annotation that were read so far."""

    left_out: Counter[str]
    sizes: set[tuple[int, int]] = field(default_factory=set)
    shapes: list[Shape] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    unplaced: int = 0

    def set_aside(self, reason: str, points: Sequence[Point]) -> None:
        """Leave out and count a shape that covers nothing. The pixels along its points are ignored."""
        self.left_out[reason] += 1
        self.shapes.append(thin(points))


def labels_of(result: dict[str, Any]) -> list[str]:
    """The labels of a result, whose key is the type of the result or ``labels``."""
    value = result.get("value")
    if not isinstance(value, dict):
        return []
    kind = result.get("type")
    listed = value.get(kind if isinstance(kind, str) else "") or value.get("labels") or value.get("choices")
    texts = listed if isinstance(listed, list) else []
    return [text for text in texts if isinstance(text, str) and text]


def add_result(drawn: Drawn, result: dict[str, Any], where: str) -> None:
    """Add one result to the shapes and tags of its annotation. Results that are left out are counted."""
    labels = labels_of(result)
    value = result.get("value")
    keys = set(value) if isinstance(value, dict) else set()
    if {"original_height", "original_width"} <= result.keys():
        drawn.sizes.add(_size(result, where))
    if "choices" in keys and not keys & {"x", "points", "rle"}:
        drawn.present |= set(labels)
        return
    shape = next((read for needed, read in _SHAPES if needed <= keys), None)
    if shape is None or "choices" in keys:
        stated = result.get("type")
        kind = stated[:20] if isinstance(stated, str) else None if stated is None else "unknown"
        drawn.left_out[f"results of type {kind!r}"] += 1
        drawn.unplaced += kind not in NO_SHAPES and "choices" not in keys
        return
    if len(labels) != 1:
        drawn.left_out["regions with several labels" if labels else "regions without a label"] += 1
    name = labels[0] if len(labels) == 1 else IGNORED
    shape(drawn, name, Fields(value, where), _size(result, where), where)


def _size(result: dict[str, Any], where: str) -> tuple[int, int]:
    fields = Fields(result, where)
    height, width = fields.whole("original_height", low=1), fields.whole("original_width", low=1)
    if height * width > MAX_PIXELS:
        fields.refuse("original_width", f"images of at most {MAX_PIXELS} pixels")
    return height, width


def _pixels(percent: float, side: int) -> float:
    return round(percent / UNITS * side, DIGITS)


def _point(value: Fields, size: tuple[int, int]) -> Point:
    return _pixels(value.number("x"), size[1]), _pixels(value.number("y"), size[0])


def _angle(value: Fields) -> float:
    return value.number("rotation") if "rotation" in value else 0.0


def _brush(drawn: Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    numbers = value.wholes("rle", low=0)
    if max(numbers, default=0) > 255:
        value.refuse("rle", "numbers 0..255")
    bitmap = tight_bitmap(name, decode_brush(bytes(numbers), size, where), size[1])
    if bitmap is None:
        drawn.left_out["empty brush strokes"] += 1
    else:
        drawn.shapes.append(bitmap)


def _polygon(drawn: Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    ring = tuple((_pixels(x, size[1]), _pixels(y, size[0])) for x, y in value.pairs("points"))
    if not has_area(ring):
        drawn.set_aside("polygons that cover nothing", ring)
    else:
        drawn.shapes.append(Polygon(name, ring))


def _ellipse(drawn: Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    radii = _pixels(value.number("radiusX", low=0), size[1]), _pixels(value.number("radiusY", low=0), size[0])
    x, y = _point(value, size)
    region = ellipse(name, (x, y), radii, _angle(value), size) if min(radii) > 0 else None
    if region is None:
        drawn.set_aside("ellipses without area in the image", ((x, y),))
    else:
        drawn.shapes.append(region)


def _rectangle(drawn: Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    x, y = _point(value, size)
    # From both ends in percent, so that a box that ends at the image's border ends there exactly.
    x1 = _pixels(value.number("x") + value.number("width", low=0), size[1])
    y1 = _pixels(value.number("y") + value.number("height", low=0), size[0])
    # The corner (x, y) stays in place while the box is turned (HumanSignal/label-studio#5274).
    box = turned_box(Box(name, x, y, x1, y1), (x, y), _angle(value), size)
    if not box.area > 0:
        drawn.set_aside("boxes without area in the image", ((x, y), (x1, y1)))
        return
    if _angle(value) % 90 != 0:
        drawn.left_out[ANGLES] += 1
    drawn.shapes.append(box)


def _click(drawn: Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    drawn.shapes.append(Click(name, *_point(value, size)))


_Read = Callable[[Drawn, str, Fields, tuple[int, int], str], None]

_SHAPES: tuple[tuple[set[str], _Read], ...] = (
    ({"rle"}, _brush),
    ({"points"}, _polygon),
    ({"radiusX", "radiusY"}, _ellipse),
    ({"x", "y", "width", "height"}, _rectangle),
    ({"x", "y"}, _click),
)
"""The function that reads a result's value, by the keys that the value must have. The first match counts."""
