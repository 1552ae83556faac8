"""VGG Image Annotator."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.via.attributes import TAGS
from underpaint.annotations.via.read import is_via, read_via
from underpaint.annotations.via.write import write_via
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "TAGS", "is_via", "read_via", "write_via"]

FORMAT = Format(
    name="via",
    title="VGG Image Annotator",
    layout="one .json file",
    sniff=is_via,
    read=lambda path, reading: read_via(path, left_out=reading.left_out),
    holds=frozenset({Part.POLYGONS, Part.BOXES, Part.CLICKS, Part.SCRIBBLES, Part.TAGS}),
    as_pixels=frozenset({Part.HOLES, Part.BITMAPS}),
    writer=lambda path, hints, writing: write_via(path, hints, writing.files),
)
