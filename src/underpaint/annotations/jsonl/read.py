"""Reads the hints file. Every field is checked, and an error names file and line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.parsing.shapes import read_box, read_click, read_region, read_scribble
from underpaint.annotations.parsing.sniff import is_json
from underpaint.core.classes import ClassTable, Meaning, Numbering
from underpaint.core.errors import FormatError
from underpaint.core.json_text import parse_json
from underpaint.core.paths import leads_out, lies_in
from underpaint.core.regular import encoding_of, open_regular
from underpaint.hints.check import check_hints
from underpaint.hints.types import Hints, Shape, Tags

VERSION = 1

HEADER = {"underpaint": "hints", "version": VERSION}

MAX_BYTES = 4 << 30
"""The limit of a hints file, which is read line by line."""

MAX_LINE = 16 << 20
"""The limit of one line in bytes, about 600,000 points: several times more than an image full of strokes has."""


def read_hints(path: Path, classes: ClassTable | None = None, *, root: Path | None = None) -> dict[str, Hints]:
    """Read a hints file as hints by image name, in the order of the file.

    Args:
        path: The file.
        classes: A table that must have every class name of the file, or None.
        root: The data set's folder, or None. A label image that lies outside of it through a link is refused.

    Raises:
        FormatError: the file is missing, has another version or another structure, holds NaN, gives an image twice, or
            refers to a label image outside of the data set. The error names file and line.
        HintError: a class outside the table, or hints that contradict themselves.
    """
    found: dict[str, Hints] = {}
    for number, text in _lines(path):
        where = f"{path}:{number}"
        record = parse_json(text, where)
        if number == 1:
            _check_header(record, where)
            continue
        hints = _hints(Fields(record, where), root)
        if hints.image in found:
            raise FormatError(f"the image {hints.image!r} is given twice", where=where, accepted="one line an image")
        check_hints(hints, classes, where)
        found[hints.image] = hints
    return found


def is_hints_file(path: Path) -> bool:
    """Whether a file has the name of a hints file, or starts like one."""
    return path.is_file() and (path.suffix.lower() == ".jsonl" or is_json(path, "{", "underpaint"))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and texts without empty lines. The first one is the header."""
    try:
        with open_regular(path, max_bytes=MAX_BYTES) as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise FormatError("the line is too long", where=f"{path}:{number}", accepted=f"{MAX_LINE} bytes")
                if number == 1 or line.strip():
                    yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except OSError as error:
        raise FormatError(f"the hints file cannot be read: {error.strerror or error}", where=path) from None
    except UnicodeDecodeError as error:
        raise FormatError(encoding_of(error), where=f"{path}:{number}", fix="save it as UTF-8") from None
    if number == 0:
        raise FormatError("the hints file is empty", where=path, accepted=f"a first line {json.dumps(HEADER)}")


def _check_header(record: Any, where: str) -> None:
    if not isinstance(record, dict) or record.get("underpaint") != "hints":
        raise FormatError("not a hints file", where=where, accepted=f"a first line {json.dumps(HEADER)}")
    if record.get("version") != VERSION:
        version = record.get("version")
        raise FormatError(f"hints file version {version!r}", where=where, accepted=VERSION, fix="update underpaint")


def _hints(fields: Fields, root: Path | None) -> Hints:
    hints = Hints(
        image=fields.text("image"),
        size=_size(fields),
        shapes=tuple(read(item) for key, read in _SHAPES for item in fields.items(key)),
        boxed=frozenset(fields.texts("boxed")),
        tags=_tags(fields),
        mask=_mask(fields, root) if "mask" in fields else None,
        source=fields.text("source", empty=True) if "source" in fields else "",
        seconds=fields.number("seconds", low=0) if "seconds" in fields else None,
        unplaced=fields.whole("unplaced", low=1) if "unplaced" in fields else 0,
        numbering=_numbering(fields),
        strokes=fields.flag("strokes") if "strokes" in fields else False,
    )
    fields.refuse_rest()
    return hints


def _mask(fields: Fields, root: Path | None) -> str:
    """The path of the label image. It must be below the data set's folder, because the file may not be trustworthy."""
    name = fields.text("mask")
    if leads_out(name) or (root is not None and not lies_in(root / name, root)):
        fields.refuse("mask", "a path below the data set's folder, such as 'masks/a.png', and no link out of it")
    return name


def _size(fields: Fields) -> tuple[int, int] | None:
    if "height" not in fields and "width" not in fields:
        return None
    return fields.whole("height", low=1), fields.whole("width", low=1)


_SHAPES: tuple[tuple[str, Callable[[Fields], Shape]], ...] = (
    ("clicks", read_click),
    ("scribbles", read_scribble),
    ("boxes", read_box),
    ("regions", read_region),
)
"""The key of each kind of shape, and the function that reads one."""


def _numbering(fields: Fields) -> Numbering | None:
    if "numbering" not in fields:
        return None
    inner = fields.inner("numbering")
    numbering = Numbering(
        tuple(_meaning(item) for item in inner.items("numbers")),
        inner.text("others") if "others" in inner else None,
        fields.where,
    )
    inner.refuse_rest()
    return numbering


def _meaning(fields: Fields) -> Meaning:
    colour = fields.wholes("colour", low=0) if "colour" in fields else []
    if len(colour) not in (0, 3) or any(channel > 255 for channel in colour):
        fields.refuse("colour", "[red, green, blue], 0..255")
    name = fields.text("class") if "class" in fields else None
    meaning = Meaning(fields.whole("number", low=0), name, (colour[0], colour[1], colour[2]) if colour else None)
    fields.refuse_rest()
    return meaning


def _tags(fields: Fields) -> Tags | None:
    if "tags" not in fields:
        return None
    inner = fields.inner("tags")
    tags = Tags(frozenset(inner.texts("present")), frozenset(inner.texts("absent")))
    inner.refuse_rest()
    return tags
