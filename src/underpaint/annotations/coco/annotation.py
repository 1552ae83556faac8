"""Converts one annotation of a COCO file into hints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from underpaint.annotations.coco.rle import read_rle
from underpaint.annotations.parsing.fields import Fields
from underpaint.hints.ignore import has_area, thin
from underpaint.hints.types import IGNORED, Box, Click, Hints, Point, Polygon, Region

VISIBLE = 2
"""COCO's flag of a visible key point. 1 means labelled but hidden, 0 not labelled."""


def annotation_hints(fields: Fields, name: str, image: Hints, left_out: Counter[str]) -> Hints:
    """The hints of one annotation. Its box is used only if its segmentation covers nothing."""
    name = IGNORED if "ignore" in fields and fields.value("ignore") in (1, True) else name
    clicks = tuple(_clicks(fields, name)) if "keypoints" in fields else ()
    segmented = bool("segmentation" in fields and fields.value("segmentation"))
    regions, flat = _regions(fields, name, image) if segmented else ([], [])
    corners = None if regions else _corners(fields)
    boxes = (Box(name, *corners),) if corners and corners[0] < corners[2] and corners[1] < corners[3] else ()
    found = Hints(image.image, shapes=(*clicks, *boxes, *regions))
    if regions:
        left_out["rings that cover nothing"] += len(flat)
    elif not (boxes or clicks):
        left_out["annotations that cover nothing"] += 1
        lines = tuple(map(thin, flat + _outline(corners)))
        return replace(found, shapes=lines, unplaced=int(not (lines or segmented)))
    return found


def _regions(fields: Fields, name: str, image: Hints) -> tuple[list[Region], list[list[Point]]]:
    """The areas of a segmentation, and its rings that cover nothing."""
    if isinstance(fields.value("segmentation"), list):
        rings = [ring for ring in fields.flat_points("segmentation") if ring]
        sound = [has_area(ring) for ring in rings]
        areas: list[Region] = [Polygon(name, tuple(ring)) for ring, real in zip(rings, sound, strict=True) if real]
        return areas, [ring for ring, real in zip(rings, sound, strict=True) if not real]
    inner = fields.inner("segmentation")
    sides = inner.wholes("size", low=1)
    if len(sides) != 2 or image.size not in (None, tuple(sides)):
        inner.refuse("size", f"[height, width] of the image, {image.size}")
    bitmap = read_rle(name, (sides[0], sides[1]), inner.value("counts"), inner.where)
    return ([] if bitmap is None else [bitmap]), []


def _corners(fields: Fields) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 of the box, which may be empty; None where there is no box."""
    if "bbox" not in fields or not fields.value("bbox"):
        return None
    values = [
        pair for ring in Fields({"bbox": [fields.value("bbox")]}, fields.where).flat_points("bbox") for pair in ring
    ]
    if len(values) != 2:
        fields.refuse("bbox", "[x, y, width, height]")
    (x, y), (width, height) = values
    return x, y, x + width, y + height


def _outline(corners: tuple[float, float, float, float] | None) -> list[list[Point]]:
    """The outline of an empty box as points."""
    if corners is None:
        return []
    x0, y0, x1, y1 = corners
    return [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]]


def _clicks(fields: Fields, name: str) -> Iterator[Click]:
    triples = fields.value("keypoints")
    if not isinstance(triples, list) or len(triples) % 3:
        fields.refuse("keypoints", "[x1, y1, v1, x2, y2, v2, ...]")
    for start in range(0, len(triples), 3):
        point = Fields(dict(zip("xyv", triples[start : start + 3], strict=True)), f"{fields.where}, keypoints")
        if point.whole("v", low=0) == VISIBLE:
            yield Click(name, point.number("x"), point.number("y"))
