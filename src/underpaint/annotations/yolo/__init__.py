"""YOLO's text labels."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.yolo.names import yolo_classes
from underpaint.annotations.yolo.read import is_yolo, read_yolo
from underpaint.annotations.yolo.write import write_yolo
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "is_yolo", "read_yolo", "write_yolo", "yolo_classes"]

FORMAT = Format(
    name="yolo",
    title="YOLO labels",
    layout="a .txt file per image, with data.yaml",
    sniff=is_yolo,
    read=lambda path, reading: read_yolo(
        path, yolo_classes(path) or reading.numbered, reading.images, left_out=reading.left_out
    ),
    holds=frozenset({Part.POLYGONS, Part.BOXES, Part.SIZES}),
    as_pixels=frozenset({Part.HOLES, Part.BITMAPS}),
    classes=yolo_classes,
    writer=lambda path, hints, writing: write_yolo(path, hints, writing.classes),
)
