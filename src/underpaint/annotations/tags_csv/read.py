"""Reads image tags from a table: one column for each class, or one column with a list of tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from underpaint.annotations.parsing.table import (
    IMAGES,
    LABELS,
    OTHER_COLUMNS,
    STATES,
    SUFFIXES,
    heading_word,
    headings,
    image_column,
    refuse_repeats,
    rows,
    state,
)
from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError
from underpaint.hints.types import Hints, Tags

LIST_COLUMNS = frozenset({"tags", "labels", "classes"})
"""Headings of a column with a list of tags. Under `table.LABELS` a column has one tag in each row."""

ROBOFLOW = "_classes"
"""The name of the table of tags in exports of Roboflow. Other exports have another table with this name."""

_SEPARATORS = re.compile(r"[;,|]")


def is_table(path: Path) -> bool:
    """Whether a file is a table, judged by its ending: the text of a table looks like any other text.

    A table that is called `ROBOFLOW` must have a column with the names of images.
    """
    if path.stem == ROBOFLOW and not {heading_word(word) for word in headings(path)} & IMAGES:
        return False
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read_tags(path: Path, classes: ClassTable, *, complete: bool = False) -> dict[str, Hints]:
    """Read a table of tags.

    The first line is a heading, and the first column, or the one with such a heading, names the image.

    In a table with one column for each class, a cell means present (1, yes, true), absent (0, no, false) or unknown
    (blank). A column headed ``tags`` lists the classes that are present, separated by ``;``, ``,`` or ``|``. A column
    headed ``label`` or ``class`` has one class in each row, and an image may have several rows. A class that is not
    listed is unknown, unless the caller knows that the lists are complete. Columns with headings such as ``split`` are
    ignored (`table.OTHER_COLUMNS`). Names of classes and images are returned unchanged, even if the class table does
    not have them.

    Args:
        path: A UTF-8 text file; a byte order mark is ignored.
        classes: The class table. If it has a class called ``tags``, a column of that name is a class column.
        complete: Classes that a list does not name are absent, except for the background.

    Raises:
        FormatError: There is no heading, two are equal, a row has another length, a cell has another value, or an image
            is given twice. The error names file and line.
    """
    table = rows(path)
    _, heading = next(table, (1, []))
    body = list(table)
    columns = _columns(heading, [row for _, row in body], classes, path)
    every = frozenset(classes.names[i] for i in classes.foreground)
    found: dict[str, Hints] = {}
    for number, row in body:
        where = f"{path}:{number}"
        if len(row) != len(heading):
            raise FormatError(
                f"the row has {len(row)} columns", where=where, accepted=f"{len(heading)}, as the heading"
            )
        image = row[columns.image]
        if not image:
            raise FormatError("the row names no image", where=where, accepted="the name of an image")
        tags = _states(heading, row, columns, where) if columns.listed is None else _listed(row[columns.listed])
        if image in found and not columns.several:
            raise FormatError(f"the image {image!r} is given twice", where=where)
        before = found[image].tags if image in found else None
        present = tags.present | (before.present if before is not None else frozenset())
        absent = every - present if complete and columns.listed is not None else tags.absent
        found[image] = Hints(image=image, tags=Tags(present, absent), source="tags")
    return found


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table hold the image, a list of tags, or the states of one class each.

    ``several`` says that an image may have a row for each of its tags.
    """

    image: int
    listed: int | None
    classes: tuple[int, ...]
    several: bool


def _columns(heading: Sequence[str], body: Sequence[Sequence[str]], classes: ClassTable, path: Path) -> _Columns:
    if len(heading) < 2:
        accepted = "a heading such as image,cat,dog or image,tags or filename,label"
        raise FormatError(f"the first line has {len(heading)} column(s)", where=f"{path}:1", accepted=accepted)
    refuse_repeats(heading, path)
    image = image_column(heading)
    words = {place: heading_word(word) for place, word in enumerate(heading) if place != image}
    own = {place for place in words if heading[place] in classes.names}
    others = {place for place in words if words[place] in OTHER_COLUMNS and not _has_states(place, body)}
    rest = [place for place in words if place in own or place not in others]
    listed = rest[0] if len(rest) == 1 and rest[0] not in own else None
    if listed is not None and words[listed] in (*LIST_COLUMNS, *LABELS):
        return _Columns(image, listed, (), several=words[listed] in LABELS)
    return _Columns(image, None, tuple(rest), several=False)


def _has_states(place: int, body: Sequence[Sequence[str]]) -> bool:
    """Whether every cell of a column means present, absent or unknown."""
    try:
        return all(state(row[place]) in (True, False, None) for row in body if place < len(row))
    except ValueError:
        return False


def _listed(cell: str) -> Tags:
    return Tags(frozenset(word.strip() for word in _SEPARATORS.split(cell) if word.strip()))


def _states(heading: Sequence[str], row: Sequence[str], columns: _Columns, where: str) -> Tags:
    states: dict[str, bool | None] = {}
    for place in columns.classes:
        try:
            states[heading[place]] = state(row[place])
        except ValueError:
            what = f"the cell of column {heading[place]!r} is {row[place][:40]!r}"
            raise FormatError(what, where=where, accepted=STATES) from None
    present = frozenset(name for name, here in states.items() if here is True)
    return Tags(present, frozenset(name for name, here in states.items() if here is False))
