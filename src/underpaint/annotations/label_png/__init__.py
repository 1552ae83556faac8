"""Label images."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.label_png.read import is_label_folder, read_label_images
from underpaint.annotations.label_png.write import write_label_images
from underpaint.hints.parts import Part
from underpaint.imagefiles.numbering import listed_names

__all__ = ["FORMAT", "is_label_folder", "read_label_images", "write_label_images"]

FORMAT = Format(
    name="masks",
    title="label images",
    layout="a .png file per image",
    sniff=is_label_folder,
    read=lambda path, reading: read_label_images(
        path, reading.classes, reading.root, reading.images, lenient=reading.lenient, left_out=reading.left_out
    ),
    ordered=True,
    as_pixels=frozenset(
        {
            Part.LABELS,
            Part.POLYGONS,
            Part.HOLES,
            Part.BITMAPS,
            Part.IGNORED,
            Part.CLICKS,
            Part.SCRIBBLES,
            Part.WIDTHS,
        }
    ),
    classes=listed_names,
    writer=lambda path, hints, writing: write_label_images(path, hints, writing.classes, writing.labels),
    general=True,
    numbers=True,
)
