"""The project of `underpaint paint`: a folder with ``project.json`` and append-only logs in ``strokes/``.

``project.json`` is ``{"underpaint": "paint", "version": 1, "id": "...", "classes": [{"name", "color", "key"}]}``. Each
file ``strokes/NAME-SESSION.jsonl`` has one writer, whose name is in its first line. Lines are only appended to it and
never changed. Every further line is an operation::

    {"writer": "Ben"}
    {"id": "5f0c", "n": 7, "at": 1764250000.2, "image": "pets/a", "op": "add",
     "hint": {"kind": "scribble", "class": "cat", "points": [[3.5, 3.5], [6.0, 4.0]], "width": 3.0}}
    {"id": "81aa", "n": 8, "at": 1764250003.0, "image": "pets/a", "op": "delete", "target": "5f0c"}
    {"id": "9b3e", "n": 9, "at": 1764250004.5, "image": "pets/a", "op": "tags",
     "present": ["cat"], "absent": [], "boxed": []}
    {"id": "c7d2", "n": 10, "at": 1764250006.0, "image": "pets/a", "op": "state", "state": "done"}

The hints are the result of the operations of all files (`fold`). It does not depend on the order in which the files are
read, so that several people can annotate at the same time and files can be copied between machines.
"""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.strokes.project import is_project, project_classes
from underpaint.annotations.strokes.read import read_strokes
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "is_project", "read_strokes"]

FORMAT = Format(
    name="paint",
    title="project of underpaint paint",
    layout="a paint/ folder",
    sniff=is_project,
    read=lambda path, reading: read_strokes(path, remarks=reading.remarks),
    writer=None,
    holds=frozenset(Part) - {Part.LABELS, Part.UNPLACED, Part.IGNORED, Part.SIZES},
    classes=project_classes,
    ordered=True,
)
