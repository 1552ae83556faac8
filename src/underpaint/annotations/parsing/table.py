"""Tables of text as people and programs write them: rows, ordinary headings, and words for yes and no."""

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
"""Ordinary headings of a column with the names of images, without blanks and marks and in small letters."""

BESIDE = frozenset({"id", "split", "set", "subset", "fold", "width", "height", "source", "notes", "comment"})
"""Ordinary headings of columns that say nothing of classes, unless all their cells say yes or no."""

LABELS = ("class", "label", "category", "classname", "labelname", "categoryname", "species", "object", "type", "name")
"""Ordinary headings of what names a class, the likeliest first."""

_YES = frozenset({"1", "1.0", "yes", "y", "true", "t", "x", "present", "on"})
_NO = frozenset({"0", "0.0", "no", "n", "false", "f", "absent", "off"})
_UNKNOWN = frozenset({"", "?", "na", "n/a", "nan", "none", "null", "unknown"})

STATES = "1 or yes (present), 0 or no (absent), blank or ? (unknown)"
"""What a cell may say, for messages."""


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and stripped cells of the rows that are not empty.

    The delimiter is whichever of comma, semicolon and tab the heading has most.

    Raises:
        FormatError: no text, or no table.
    """
    lines = read_text(path).splitlines()
    reader = csv.reader(lines, delimiter=_delimiter(lines[0] if lines else ""), strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise FormatError(f"not a table: {error}", where=f"{path}:{reader.line_num}") from None


def headings(path: Path) -> list[str]:
    """The headings of a table, from the beginning of the file; none of a file that is no table by its ending."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return []
    line = first_line(path)
    return [cell.strip().strip('"') for cell in line.split(_delimiter(line))]


def refuse_repeats(heading: Sequence[str], path: Path) -> None:
    """Raise `FormatError` where two columns have one heading: which of them is meant cannot be known."""
    twice = [word for word, count in Counter(heading).items() if count > 1 and word]
    if twice:
        raise FormatError(f"two columns have the heading {twice[0]!r}", where=f"{path}:1", accepted="each heading once")


def _delimiter(heading: str) -> str:
    return max(DELIMITERS, key=heading.count)


def heading_word(text: str) -> str:
    """A heading in small letters, without blanks and marks: ``File_Name`` is ``filename``."""
    return re.sub(r"[\W_]", "", text.lower())


def image_column(heading: Sequence[str]) -> int:
    """The column with the names of images: the first with an ordinary heading, else the first."""
    found = (place for place, word in enumerate(heading) if heading_word(word) in IMAGES)
    return next(found, 0)


def is_yes(value: Any) -> bool:
    """Whether a value of a file says yes."""
    return str(value).strip().lower() in _YES


def state(cell: str) -> bool | None:
    """Whether a cell says present, absent, or nothing.

    Raises:
        ValueError: it says something else.
    """
    word = cell.strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    if word in _UNKNOWN:
        return None
    raise ValueError(cell)
