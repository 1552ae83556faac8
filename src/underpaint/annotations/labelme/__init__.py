"""labelme's JSON."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.labelme.read import is_labelme, read_labelme
from underpaint.annotations.labelme.write import write_labelme
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "is_labelme", "read_labelme", "write_labelme"]

FORMAT = Format(
    name="labelme",
    title="labelme JSON",
    layout="a .json file per image",
    sniff=is_labelme,
    read=lambda path, reading: read_labelme(path, reading.images, left_out=reading.left_out),
    holds=frozenset(
        {
            Part.POLYGONS,
            Part.BITMAPS,
            Part.BOXES,
            Part.CLICKS,
            Part.SCRIBBLES,
            Part.TAGS,
            Part.SIZES,
            Part.IGNORED,
        }
    ),
    as_pixels=frozenset({Part.HOLES}),
    writer=lambda path, hints, writing: write_labelme(path, hints, writing.files),
)
