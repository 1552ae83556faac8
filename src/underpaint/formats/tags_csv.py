"""Image tags in a table: one column a class, or one column with a list of tags."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from underpaint.core.atomic import write_atomic
from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError
from underpaint.formats.json_text import read_text
from underpaint.hints.types import Hints, Tags

SUFFIXES = frozenset({".csv", ".tsv"})

DELIMITERS = ",;\t"

LIST_COLUMNS = frozenset({"tags", "labels", "classes"})
"""Headings of the second column in a table with a list of tags."""

_STATES = {"1": True, "1.0": True, "0": False, "0.0": False, "": None}
"""What a cell says; 1.0 and 0.0 are what pandas writes for a column with blanks."""

_SEPARATORS = re.compile(r"[;,|]")


def is_table(path: Path) -> bool:
    """Whether a file is a table, by its ending: nothing in a table's text tells it from other text."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read_tags(path: Path, classes: ClassTable, *, complete: bool = False) -> dict[str, Hints]:
    """Read a table of tags. The first line is a heading, the first column names the image.

    In a table with one column a class, 1 is present, 0 absent and a blank unknown. In a table with two columns, the
    second headed ``tags``, it lists those present between ``;``, ``,`` or ``|``; a class that is not listed is unknown,
    unless the caller knows that the lists are complete. The delimiter is whichever of comma, semicolon and tab the
    heading has most. Class words are returned as they stand, in or out of the table, and so are the images' names.

    Args:
        path: UTF-8 text; a byte order mark is passed over.
        classes: The class table; a class called ``tags`` makes a column of that name a class column.
        complete: Classes that a list does not name are absent (but for the background).

    Raises:
        FormatError: no heading, a row of another length, a cell that is none of the three states, or an image given
            twice; names file and line.
    """
    rows = _rows(path)
    _, heading = next(rows, (1, []))
    if len(heading) < 2:
        accepted = "a heading such as image,cat,dog or image,tags"
        raise FormatError(f"the first line has {len(heading)} column(s)", where=f"{path}:1", accepted=accepted)
    listed = len(heading) == 2 and heading[1].lower() in LIST_COLUMNS and heading[1] not in classes.names
    every = frozenset(classes.names[i] for i in classes.foreground)
    found: dict[str, Hints] = {}
    for number, row in rows:
        where = f"{path}:{number}"
        if len(row) != len(heading):
            raise FormatError(
                f"the row has {len(row)} columns", where=where, accepted=f"{len(heading)}, as the heading"
            )
        if not row[0]:
            raise FormatError("the row names no image", where=where, accepted="an image in the first column")
        if row[0] in found:
            raise FormatError(f"the image {row[0]!r} is given twice", where=where)
        tags = _listed(row[1], every if complete else frozenset()) if listed else _columns(heading, row, where)
        found[row[0]] = Hints(image=row[0], tags=tags, source="tags")
    return found


def write_tags(path: Path, hints: Sequence[Hints], classes: ClassTable, files: Mapping[str, str]) -> None:
    """Write a table with one column a class: 1 is present, 0 absent, a blank unknown.

    Args:
        path: The file, of which the ending .tsv makes the delimiter a tab.
        hints: Of the images; those without tags are left out.
        classes: The columns.
        files: What the first column calls an image, by its name.

    Raises:
        DataError: the disk refuses.
    """
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", lineterminator="\n")
    table.writerow(["image", *classes.names])
    for one in hints:
        if one.tags is not None:
            states = (
                "1" if name in one.tags.present else "0" if name in one.tags.absent else "" for name in classes.names
            )
            table.writerow([files.get(one.image, one.image), *states])
    write_atomic(path, text.getvalue().encode())


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and stripped cells of the rows that are not empty."""
    lines = read_text(path).splitlines()
    heading = lines[0] if lines else ""
    delimiter = max(DELIMITERS, key=heading.count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise FormatError(f"not a table: {error}", where=f"{path}:{reader.line_num}") from None


def _listed(cell: str, every: frozenset[str]) -> Tags:
    present = frozenset(word.strip() for word in _SEPARATORS.split(cell) if word.strip())
    return Tags(present, every - present)


def _columns(heading: list[str], row: list[str], where: str) -> Tags:
    strange = next(((name, cell) for name, cell in zip(heading[1:], row[1:], strict=True) if cell not in _STATES), None)
    if strange is not None:
        what = f"the cell of column {strange[0]!r} is {strange[1][:40]!r}"
        raise FormatError(what, where=where, accepted="1 (present), 0 (absent), blank (unknown)")
    states = {name: _STATES[cell] for name, cell in zip(heading[1:], row[1:], strict=True)}
    present = frozenset(name for name, state in states.items() if state is True)
    return Tags(present, frozenset(name for name, state in states.items() if state is False))
