"""Tables of boxes."""

from __future__ import annotations

from underpaint.annotations.boxes_csv.read import is_box_table, read_box_table
from underpaint.annotations.boxes_csv.write import write_box_table
from underpaint.annotations.format import Format
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "is_box_table", "read_box_table", "write_box_table"]

FORMAT = Format(
    name="boxes",
    title="table of boxes",
    layout="one .csv or .tsv file",
    sniff=is_box_table,
    read=lambda path, _: read_box_table(path),
    holds=frozenset({Part.BOXES, Part.SIZES}),
    writer=lambda path, hints, writing: write_box_table(path, hints, writing.files),
)
