"""Reads text tables of different programs: rows, usual headings, and words for yes and no."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.sniff import first_line
from underpaint.core.errors import FormatError
from underpaint.core.json_text import read_text

SUFFIXES = frozenset({".csv", ".tsv"})

DELIMITERS = ",;\t"

IMAGES = frozenset(
    {"image", "filename", "imagename", "imagefile", "imagepath", "imageid", "file", "filepath", "path", "img", "photo"}
)
"""Usual headings of a column with the names of images, in small letters without spaces and punctuation."""

OTHER_COLUMNS = frozenset({"id", "split", "set", "subset", "fold", "width", "height", "source", "notes", "comment"})
"""Usual headings of columns that are not classes, unless all their cells mean yes or no."""

LABELS = ("class", "label", "category", "classname", "labelname", "categoryname", "species", "object", "type", "name")
"""Usual headings of a column that names a class, the most probable one first."""

_YES = frozenset({"1", "1.0", "yes", "y", "true", "t", "x", "present", "on"})
_NO = frozenset({"0", "0.0", "no", "n", "false", "f", "absent", "off"})
_UNKNOWN = frozenset({"", "?", "na", "n/a", "nan", "none", "null", "unknown"})

STATES = "1 or yes (present), 0 or no (absent), blank or ? (unknown)"
"""The accepted values of a cell, for messages."""


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line numbers and the stripped cells of all rows that are not empty.

    The delimiter is the one of comma, semicolon and tab that occurs most often in the heading.

    Raises:
        FormatError: The file is not a text or not a table.
    """
    lines = read_text(path).splitlines()
    reader = csv.reader(lines, delimiter=_delimiter(lines[0] if lines else ""), strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error:
        what = "not a table: a quotation mark is not closed, or a cell goes on behind it"
        raise FormatError(what, where=f"{path}:{reader.line_num}") from None


def headings(path: Path) -> list[str]:
    """The headings of a table, read from the beginning of the file; empty if the file does not end in .csv or .tsv."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return []
    line = first_line(path)
    return [cell.strip().strip('"') for cell in line.split(_delimiter(line))]


def refuse_repeats(heading: Sequence[str], path: Path) -> None:
    """Raise `FormatError` if two columns have the same heading, because it is not clear which one is meant."""
    twice = [word for word, count in Counter(heading).items() if count > 1 and word]
    if twice:
        raise FormatError(f"two columns have the heading {twice[0]!r}", where=f"{path}:1", accepted="each heading once")


def _delimiter(heading: str) -> str:
    return max(DELIMITERS, key=heading.count)


def heading_word(text: str) -> str:
    """A heading in small letters without spaces and punctuation: ``File_Name`` becomes ``filename``."""
    return re.sub(r"[\W_]", "", text.lower())


def image_column(heading: Sequence[str]) -> int:
    """The column with the names of images: the first one with a usual heading, else the first column."""
    found = (place for place, word in enumerate(heading) if heading_word(word) in IMAGES)
    return next(found, 0)


def is_yes(value: Any) -> bool:
    """Whether a value in a file means yes."""
    return str(value).strip().lower() in _YES


def state(cell: str) -> bool | None:
    """The meaning of a cell: present (True), absent (False) or unknown (None).

    Raises:
        ValueError: The cell has another value.
    """
    word = cell.strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    if word in _UNKNOWN:
        return None
    raise ValueError(cell)
