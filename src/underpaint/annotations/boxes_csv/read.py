"""Reads boxes from a table with one row for each box, as detection programs export it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from underpaint.annotations.parsing.fields import NUMBER, from_text
from underpaint.annotations.parsing.table import LABELS, heading_word, headings, image_column, refuse_repeats, rows
from underpaint.core.errors import FormatError
from underpaint.hints.check import check_hints
from underpaint.hints.types import Box, Hints

SOURCE = "table of boxes"

Four = tuple[float, float, float, float]


def _corners(sides: Four) -> Four:
    return sides


def _lengths(sides: Four) -> Four:
    return sides[0], sides[1], sides[0] + sides[2], sides[1] + sides[3]


def _centre(sides: Four) -> Four:
    x, y, width, height = sides
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


FORMS: tuple[tuple[tuple[str, str, str, str], Callable[[Four], Four]], ...] = (
    (("xmin", "ymin", "xmax", "ymax"), _corners),
    (("minx", "miny", "maxx", "maxy"), _corners),
    (("x0", "y0", "x1", "y1"), _corners),
    (("x1", "y1", "x2", "y2"), _corners),
    (("left", "top", "right", "bottom"), _corners),
    (("xtl", "ytl", "xbr", "ybr"), _corners),
    (("xcenter", "ycenter", "width", "height"), _centre),
    (("cx", "cy", "width", "height"), _centre),
    (("xmin", "ymin", "width", "height"), _lengths),
    (("bboxx", "bboxy", "bboxwidth", "bboxheight"), _lengths),
    (("left", "top", "width", "height"), _lengths),
    (("x", "y", "width", "height"), _lengths),
    (("x", "y", "w", "h"), _lengths),
)
"""The headings of the four columns of a box, and how they give its corners. Corners come before sides, since the sides
may be those of the image."""

WRITTEN = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table hold the image, the class, the four numbers of a box, and the image's size (or None)."""

    image: int
    label: int
    sides: tuple[int, ...]
    corners: Callable[[Four], Four]
    size: tuple[int, int] | None
    count: int


def is_box_table(path: Path) -> bool:
    """Whether a file is a table with headings for a class and the four numbers of a box."""
    return _sides(headings(path)) is not None


def read_box_table(path: Path) -> dict[str, Hints]:
    """Read a table of boxes as hints by the image's name in the table.

    The columns are found by their headings (`FORMS`, `table.IMAGES`, `table.LABELS`), in any order; other columns are
    ignored. Numbers are pixels from the top-left corner, and both corners are edges. Columns ``width`` and ``height``
    that do not belong to the box are the size of the image. A row without numbers is an image without boxes.

    Args:
        path: A UTF-8 text file.

    Raises:
        FormatError: there are no such columns, a row has another length, a cell is no number, a box is empty, or the
            numbers are shares of the sides. The error names file and line.
    """
    table = rows(path)
    _, heading = next(table, (1, []))
    columns = _columns(heading, path)
    found: dict[str, Hints] = {}
    boxes: dict[str, list[Box]] = {}
    for number, row in table:
        where = f"{path}:{number}"
        if len(row) != columns.count:
            raise FormatError(
                f"the row has {len(row)} columns", where=where, accepted=f"{columns.count}, as the heading"
            )
        hints = _image(row, columns, where)
        if found.setdefault(hints.image, hints) != hints:
            raise FormatError(f"the image {hints.image!r} is given two sizes", where=where)
        if any(row[place] for place in columns.sides):
            boxes.setdefault(hints.image, []).append(_box(row, columns, where))
    _refuse_shares(boxes, path)
    made = {image: replace(found[image], shapes=tuple(drawn)) for image, drawn in boxes.items()}
    for image, one in made.items():
        check_hints(one, None, f"{path}, image {image!r}")
    return made


def _sides(heading: Sequence[str]) -> tuple[tuple[int, ...], Callable[[Four], Four]] | None:
    words = [heading_word(word) for word in heading]
    for names, corners in FORMS:
        if all(name in words for name in names):
            return tuple(words.index(name) for name in names), corners
    return None


def _columns(heading: Sequence[str], path: Path) -> _Columns:
    refuse_repeats(heading, path)
    words = [heading_word(word) for word in heading]
    found = _sides(heading)
    image = image_column(heading)
    label = next((words.index(word) for word in LABELS if word in words and words.index(word) != image), None)
    if found is None or label is None or image in found[0]:
        raise FormatError(
            f"the headings are {', '.join(heading)[:80]!r}", where=f"{path}:1", accepted=", ".join(WRITTEN)
        )
    sides, corners = found
    size = (words.index("height"), words.index("width")) if {"height", "width"} <= set(words) else None
    return _Columns(image, label, sides, corners, None if size is not None and size[0] in sides else size, len(heading))


def _image(row: Sequence[str], columns: _Columns, where: str) -> Hints:
    name = row[columns.image]
    if not name:
        raise FormatError("the row names no image", where=where, accepted="the name of an image")
    if columns.size is None or not any(row[place] for place in columns.size):
        return Hints(name, source=SOURCE)
    height, width = (_number(row[place], where) for place in columns.size)
    if not (height >= 1 and width >= 1 and height == int(height) and width == int(width)):
        raise FormatError(f"the image has {width:g} x {height:g} pixels", where=where, accepted="whole numbers from 1")
    return Hints(name, size=(int(height), int(width)), source=SOURCE)


def _box(row: Sequence[str], columns: _Columns, where: str) -> Box:
    if not row[columns.label]:
        raise FormatError("the box has no class", where=where, accepted="a word")
    x, y, third, fourth = (_number(row[place], where) for place in columns.sides)
    box = Box(row[columns.label], *columns.corners((x, y, third, fourth)))
    if box.x0 >= box.x1 or box.y0 >= box.y1:
        raise FormatError(f"the box is empty: {box}", where=where, accepted="a width and a height above 0")
    return box


def _number(cell: str, where: str) -> float:
    number = from_text(cell)
    if number is None:
        raise FormatError(f"the cell is {cell[:20]!r}", where=where, accepted=NUMBER)
    return number


def _refuse_shares(boxes: Mapping[str, Sequence[Box]], path: Path) -> None:
    """Refuse a table whose numbers are fractions up to 1: they are shares of the image's sides."""
    every = [side for drawn in boxes.values() for box in drawn for side in (box.x0, box.y0, box.x1, box.y1)]
    if every and max(every) <= 1 and any(side != int(side) for side in every):
        fix = "multiply them by the width and the height of each image"
        raise FormatError("the numbers are shares of the sides, from 0 to 1", where=path, accepted="pixels", fix=fix)
