"""Reads the table of classes in Roboflow's folders of label images: ``_classes.csv`` with a number for each class."""

from __future__ import annotations

import csv
from pathlib import Path

from underpaint.core.classes import Meaning, Numbering
from underpaint.core.errors import DataError, FormatError
from underpaint.core.regular import TEXT_BYTES, read_regular_text

PIXEL_TABLE = "_classes.csv"
"""The name of the file. Exports without label images use this name for a table of tags, or for other tables."""

HEADING = ("pixel value", "class")
"""The headings of the table, in small letters."""


def pixel_numbering(path: Path) -> Numbering | None:
    """The meanings of the numbers in the label images of a folder; None for another table with this file name.

    Raises:
        DataError: The table cannot be read, a number is invalid or repeated, or a class has no name or is repeated.
    """
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(read_regular_text(path, max_bytes=TEXT_BYTES).splitlines())
        ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is not a table in UTF-8"
        raise FormatError(f"the table of classes cannot be read: {reason}", where=path) from None
    if not rows or tuple(word.lower() for word in rows[0][:2]) != HEADING:
        return None
    meanings = tuple(_meaning(row, f"{path}:{line}") for line, row in enumerate(rows[1:], 2) if any(row))
    numbers, names = [one.number for one in meanings], [one.name for one in meanings]
    if not meanings or len(set(numbers)) < len(numbers) or len(set(names)) < len(names):
        raise DataError("a number or a class is repeated, or there are none", where=path, accepted="each of them once")
    return Numbering(meanings, source=str(path))


def _meaning(row: list[str], where: str) -> Meaning:
    number = row[0]
    if len(row) < 2 or not row[1] or not (number.isascii() and number.isdecimal() and int(number) < 1 << 16):
        raise DataError(
            f"the row is {', '.join(row)[:80]!r}", where=where, accepted="a number and a class, as in 1, cat"
        )
    return Meaning(int(number), row[1])
