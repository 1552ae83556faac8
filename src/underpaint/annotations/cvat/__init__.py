"""CVAT for images."""

from __future__ import annotations

from underpaint.annotations.cvat.read import declared_classes, is_cvat, read_cvat
from underpaint.annotations.cvat.write import write_cvat
from underpaint.annotations.format import Format
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "declared_classes", "is_cvat", "read_cvat", "write_cvat"]

FORMAT = Format(
    name="cvat",
    title="CVAT for images",
    layout="one .xml file",
    sniff=is_cvat,
    read=lambda path, reading: read_cvat(path, left_out=reading.left_out),
    holds=frozenset({Part.POLYGONS, Part.BITMAPS, Part.BOXES, Part.CLICKS, Part.SCRIBBLES, Part.TAGS, Part.SIZES}),
    as_pixels=frozenset({Part.HOLES}),
    classes=declared_classes,
    ordered=True,
    writer=lambda path, hints, writing: write_cvat(path, hints, classes=writing.classes.names, file=writing.file),
)
