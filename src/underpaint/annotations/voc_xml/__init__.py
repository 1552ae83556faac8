"""PASCAL VOC's box annotations."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.voc_xml.read import is_voc, read_voc_boxes
from underpaint.annotations.voc_xml.write import write_voc_boxes
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "is_voc", "read_voc_boxes", "write_voc_boxes"]

FORMAT = Format(
    name="voc",
    title="VOC boxes",
    layout="an .xml file per image",
    sniff=is_voc,
    read=lambda path, reading: read_voc_boxes(
        path, reading.classes, base=reading.voc_base, left_out=reading.left_out, remarks=reading.remarks
    ),
    holds=frozenset({Part.BOXES, Part.BOXED, Part.TAGS, Part.ABSENT, Part.SIZES}),
    writer=lambda path, hints, writing: write_voc_boxes(path, hints, file=writing.file),
)
