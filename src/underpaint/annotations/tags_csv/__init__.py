"""Tables of tags."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.tags_csv.read import LIST_COLUMNS, ROBOFLOW, is_table, read_tags
from underpaint.annotations.tags_csv.write import write_tags
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "LIST_COLUMNS", "ROBOFLOW", "is_table", "read_tags", "write_tags"]

FORMAT = Format(
    name="tags",
    title="table of tags",
    layout="one .csv or .tsv file",
    sniff=is_table,
    read=lambda path, reading: read_tags(path, reading.classes, complete=reading.complete_tags),
    holds=frozenset({Part.TAGS, Part.ABSENT}),
    writer=lambda path, hints, writing: write_tags(path, hints, writing.classes, writing.files),
    general=True,
    stems=LIST_COLUMNS | {ROBOFLOW},
)
