"""Writes a table of boxes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from underpaint.annotations.boxes_csv.read import WRITTEN
from underpaint.core.atomic import write_atomic
from underpaint.hints.types import Hints


def write_box_table(path: Path, hints: Sequence[Hints], files: Mapping[str, str]) -> None:
    """Write one row for each box: file name, image size where known, class, and corners in pixels.

    Args:
        path: The file. The ending .tsv makes the delimiter a tab.
        hints: The hints of each image. Everything but boxes is left out.
        files: The file name of each image by its name, for the first column.

    Raises:
        DataError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", lineterminator="\n")
    table.writerow(WRITTEN)
    for one in hints:
        height, width = one.size or ("", "")
        for box in one.boxes:
            corners = (box.x0, box.y0, box.x1, box.y1)
            table.writerow([files.get(one.image, one.image), width, height, box.name, *corners])
    write_atomic(path, text.getvalue().encode())
