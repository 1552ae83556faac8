"""Writes a table of tags."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from underpaint.core.atomic import write_atomic
from underpaint.core.classes import ClassTable
from underpaint.hints.types import Hints


def write_tags(path: Path, hints: Sequence[Hints], classes: ClassTable, files: Mapping[str, str]) -> None:
    """Write a table with one column for each class: 1 is present, 0 absent, a blank unknown.

    Args:
        path: The file. The ending .tsv makes the delimiter a tab.
        hints: The hints of each image. Images without tags are left out.
        classes: The class table; its classes are the columns.
        files: The file name of each image by its name, for the first column.

    Raises:
        DataError: the file cannot be written.
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
