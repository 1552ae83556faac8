"""The hints file: JSON Lines with a header and then one line for each image, which has shapes with class names.

The first line is ``{"underpaint": "hints", "version": 1}``. Each further line is an object with ``image`` and the keys
that have a value for that image::

    {"boxed": ["cat"], "boxes": [{"class": "cat", "x0": 1.0, "x1": 9.0, "y0": 2.0, "y1": 7.5}], "height": 240,
     "image": "pets/a", "scribbles": [{"class": "cat", "points": [[3.5, 3.5], [6.0, 4.0]], "width": 3.0}], "width": 320,
     "clicks": [{"class": "cat", "x": 4.5, "y": 5.5}], "mask": "labels/a.png", "seconds": 21.0, "source": "anna",
     "regions": [{"class": "cat", "points": [[1.0, 1.0], [8.0, 1.0], [8.0, 7.0]], "holes": []},
                 {"class": "owl", "x": 3, "y": 2, "width": 4, "height": 2, "runs": [1, 3, 4]},
                 {"ignored": true, "points": [[2.0, 2.0], [4.0, 2.0], [4.0, 4.0]]}],
     "tags": {"absent": ["owl"], "present": ["cat"]}}

A ``mask`` has the numbers of the data set's class table, unless ``numbering`` gives their meanings:
``{"numbers": [{"number": 0, "class": "cat"}]}``. ``strokes`` is true if the mask labels few pixels, as scribbles do. A
region is a polygon (``points``, and ``holes`` if it has some) or a bitmap (``runs``, row by row, outside first). An
``ignored`` region has no class: its pixels are unknown, also if there is another region below it. ``unplaced`` is the
number of shapes that were left out without a known place. Coordinates are those of `underpaint.hints.types`.

The header does not list the classes. Each shape has the name of its class, so the file can be used with any class table
that has these names, in any order. Keys are sorted, and numbers are written so that they are read back exactly.
Therefore equal hints give equal bytes.
"""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.jsonl.read import is_hints_file, read_hints
from underpaint.annotations.jsonl.write import hint_record, hints_bytes, write_hints
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "hint_record", "hints_bytes", "is_hints_file", "read_hints", "write_hints"]

FORMAT = Format(
    name="underpaint",
    title="hints file",
    layout="one .jsonl file",
    sniff=is_hints_file,
    read=lambda path, reading: read_hints(path, root=reading.root),
    holds=frozenset(Part),
    ordered=True,
    writer=lambda path, hints, _: write_hints(path, hints),
)
