"""A table of boxes, written."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from underpaint.annotations.boxes_csv.read import WRITTEN
from underpaint.core.atomic import write_atomic
from underpaint.hints.types import Hints


def write_box_table(path: Path, hints: Sequence[Hints], files: Mapping[str, str]) -> None:
    """Write a row for each box: file name, size of the image where it is known, class, and corners in pixels.

    Args:
        path: The file, of which the ending .tsv makes the delimiter a tab.
        hints: Of the images; what is no box is left out.
        files: What the first column calls an image, by its name.

    Raises:
        DataError: the disk refuses.
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
