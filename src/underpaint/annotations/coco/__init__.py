"""COCO instances JSON."""

from __future__ import annotations

from underpaint.annotations.coco.index import coco_classes, coco_ids, coco_images, is_coco
from underpaint.annotations.coco.read import read_coco
from underpaint.annotations.coco.write import write_coco
from underpaint.annotations.format import Format
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "coco_classes", "coco_ids", "coco_images", "is_coco", "read_coco", "write_coco"]

FORMAT = Format(
    name="coco",
    title="COCO JSON",
    layout="one .json file",
    sniff=is_coco,
    read=lambda path, reading: read_coco(path, left_out=reading.left_out),
    holds=frozenset({Part.POLYGONS, Part.BITMAPS, Part.BOXES, Part.CLICKS, Part.SIZES}),
    as_pixels=frozenset({Part.HOLES}),
    classes=coco_classes,
    images=coco_images,
    ids=coco_ids,
    writer=lambda path, hints, writing: write_coco(path, hints, writing.classes, writing.files, writing.ids),
)
