"""Label Studio's tasks."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.label_studio.names import image_name
from underpaint.annotations.label_studio.read import is_label_studio, read_label_studio
from underpaint.annotations.label_studio.write import write_label_studio
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "image_name", "is_label_studio", "read_label_studio", "write_label_studio"]

FORMAT = Format(
    name="label-studio",
    title="Label Studio tasks",
    layout="one .json file",
    sniff=is_label_studio,
    read=lambda path, reading: read_label_studio(path, left_out=reading.left_out),
    holds=frozenset(
        {Part.POLYGONS, Part.BITMAPS, Part.BOXES, Part.CLICKS, Part.TAGS, Part.SIZES, Part.SECONDS},
    ),
    as_pixels=frozenset({Part.HOLES}),
    writer=lambda path, hints, writing: write_label_studio(path, hints, file=writing.file),
)
