"""``summary.csv``: a table with the share of the pixels of every image that each class covers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from underpaint.core.classes import ClassTable

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet run a cell (OWASP, "CSV Injection")."""


@dataclass(frozen=True)
class Row:
    """One image.

    Args:
        image: Its name.
        height, width: Pixels, upright.
        shares: Share of the pixels of each class, 0 to 1.
    """

    image: str
    height: int
    width: int
    shares: tuple[float, ...]


def summary_csv(rows: Iterable[Row], classes: ClassTable) -> bytes:
    """The table as UTF-8: columns image, height, width, then a column per class with its share, with six decimals.

    A name that starts with = + - @, a tab or a carriage return gets an apostrophe in front, so that no spreadsheet
    program reads it as a formula. In a file name that is not UTF-8, the invalid bytes are written as escapes.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["image", "height", "width", *map(inert, classes.names)])
    for row in rows:
        table.writerow([inert(row.image), row.height, row.width, *(f"{share:.6f}" for share in row.shares)])
    return text.getvalue().encode("utf-8", "backslashreplace")


def inert(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name.startswith(FORMULA) else name
