"""Reads image tags from a table: one column for each class, or one column with a list of tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from underpaint.core.errors import FormatError, listing
from underpaint.hints.types import Hints, Tags

LIST_COLUMNS = frozenset({"tags", "labels", "classes"})
"""Headings of a column with a list of tags. Under `table.LABELS` a column has one tag in each row."""

PRESENCE = frozenset({"present", "presence", "value"})
"""Headings of a column that says whether the image has the class that its row names."""

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
    headed ``label`` or ``class`` has one class in each row, and an image may have several rows; a column headed
    ``present`` may say of each row whether the class is present. A class that is not listed is unknown, unless the
    caller knows that the lists are complete. Columns with headings such as ``split`` are ignored
    (`table.OTHER_COLUMNS`). Names of classes and images are returned unchanged, even if the class table does not have
    them.

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
        tags = _tags(heading, row, columns, where)
        if image in found and not columns.several:
            raise FormatError(f"the image {image!r} is given twice", where=where)
        before = found[image].tags if image in found else None
        if before is not None:
            tags = Tags(tags.present | before.present, tags.absent | before.absent)
        if tags.present & tags.absent:
            what = f"the image {image!r} has and lacks {listing(sorted(tags.present & tags.absent))}"
            raise FormatError(what, where=where, fix="correct one of the rows")
        found[image] = Hints(image=image, tags=tags, source="tags")
    if complete and columns.listed is not None:
        for image, hints in found.items():
            assert hints.tags is not None
            present = hints.tags.present
            found[image] = replace(hints, tags=Tags(present, every - present))
    return found


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table hold the image, a list of tags, or the states of one class each.

    ``several`` says that an image may have a row for each of its tags, and ``presence`` is the column that says whether
    the image has the tag of the row.
    """

    image: int
    listed: int | None
    classes: tuple[int, ...]
    several: bool
    presence: int | None = None


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
    labels = [place for place in rest if words[place] in LABELS and place not in own]
    presence = [place for place in rest if words[place] in PRESENCE and _has_states(place, body)]
    if len(rest) == 2 and labels and presence:
        return _Columns(image, labels[0], (), several=True, presence=presence[0])
    return _Columns(image, None, tuple(rest), several=False)


def _has_states(place: int, body: Sequence[Sequence[str]]) -> bool:
    """Whether every cell of a column means present, absent or unknown."""
    try:
        return all(state(row[place]) in (True, False, None) for row in body if place < len(row))
    except ValueError:
        return False


def _tags(heading: Sequence[str], row: Sequence[str], columns: _Columns, where: str) -> Tags:
    """The tags of a row."""
    if columns.listed is None:
        return _states(heading, row, columns, where)
    present = True if columns.presence is None else state(row[columns.presence])
    named = _listed(row[columns.listed]).present
    return Tags(named if present else frozenset(), named if present is False else frozenset())


def _listed(cell: str) -> Tags:
    return Tags(frozenset(word.strip() for word in _SEPARATORS.split(cell) if word.strip()))


def _states(heading: Sequence[str], row: Sequence[str], columns: _Columns, where: str) -> Tags:
    states: dict[str, bool | None] = {}
    for place in columns.classes:
        try:
            states[heading[place]] = state(row[place])
        except ValueError:
            what = f"the cell of column {heading[place]!r} is {row[place][:40]!r}"
            fix = "use a table with one column for each class, or with the columns image and label, or image and tags"
            raise FormatError(what, where=where, accepted=STATES, fix=fix) from None
    present = frozenset(name for name, here in states.items() if here is True)
    return Tags(present, frozenset(name for name, here in states.items() if here is False))
