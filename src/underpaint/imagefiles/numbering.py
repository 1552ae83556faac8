"""Reads the meanings of the numbers in a folder of label images from its class list."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from underpaint.core.classes import (
    BACKGROUND_WORD,
    IGNORE_WORD,
    ClassTable,
    Colour,
    Numbering,
    read_names,
    refuse_unclear,
)
from underpaint.core.errors import DataError, FormatError
from underpaint.core.paths import real
from underpaint.core.regular import LIST_BYTES, open_regular
from underpaint.imagefiles.mask_numbers import voc_palette
from underpaint.imagefiles.pixel_table import PIXEL_TABLE, pixel_numbering

VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The classes of PASCAL VOC 2007 to 2012 in the order of their mask values."""

VOC = ClassTable(VOC_NAMES, voc_palette(len(VOC_NAMES)), background=0)
"""The class table of a VOC devkit without a ``classes.txt`` of its own."""

CLASS_LISTS = ("classes.txt", "class_names.txt", "labelmap.txt")
"""The file names of class lists: the one of underpaint and other tools, that of labelme, and that of CVAT."""

LISTS_BESIDE = (*CLASS_LISTS, "labels.txt", "obj.names", PIXEL_TABLE)
"""The file names of class lists in a folder of label images. In other folders, the last three can be other files."""

SUMMARY, SUMMARY_COLUMNS = "summary.csv", ("image", "height", "width")
"""The table that `underpaint predict` writes with its masks. The classes are its further columns, in their order."""

MAX_HEADER = 1 << 20
"""Largest number of bytes of the first line of a summary."""


def numbering_beside(folder: Path, classes: ClassTable, *, outside: bool = True) -> Numbering | None:
    """The meanings of the numbers in the label images of a folder; None if they are the numbers of ``classes``.

    The class lists of `LISTS_BESIDE` and the summary of a prediction are searched in the folder, then a list of
    `CLASS_LISTS` in the folder above.

    Args:
        folder: The folder of label images.
        classes: The class table of the data set to which the images belong.
        outside: Whether to search the folder above. This is wrong for the masks of a data set, above which is the list
            of the data set.

    Raises:
        DataError: A class list cannot be read, or repeats a name.
    """
    found = _listed(folder, classes, outside=outside)
    if found is None:
        return None
    coloured = any(meaning.colour is not None for meaning in found.meanings)
    own = [(i, name, classes.colours[i] if coloured else None) for i, name in enumerate(classes.names)]
    listed = [(one.number, one.name, one.colour) for one in found.meanings]
    return None if listed == own else found


def class_list(folder: Path, names: Sequence[str] = CLASS_LISTS) -> Numbering | None:
    """The class list in this folder, or None. Raises `DataError` as `numbering_beside`."""
    files = (folder / name for name in names if (folder / name).is_file())
    return next((found for file in files if (found := _read_list(file)) is not None), None)


def _read_list(path: Path) -> Numbering | None:
    return pixel_numbering(path) if path.name == PIXEL_TABLE else read_numbering(path)


def listed_names(folder: Path) -> tuple[str, ...]:
    """The classes of the list that belongs to a folder of label images; an empty tuple if there is no list."""
    found = _listed(folder, None, outside=True) if folder.is_dir() else None
    return () if found is None else tuple(found.names())


def table_alone(folder: Path) -> ClassTable:
    """The class table of label images without a data set.

    Raises:
        DataError: There is no class list, so the meanings of the numbers are unknown.
    """
    found = _listed(folder, None, outside=True)
    if found is None:
        raise DataError(
            "the label images have numbers, and no class list states their meanings",
            where=folder,
            accepted=f"{', '.join(LISTS_BESIDE)} or a prediction's {SUMMARY}, in the folder of the label images",
            fix="write classes.txt into this folder, one name per line in the order of the numbers from 0 on; "
            "or give the folder of the data set",
        )
    return table_of(found)


def table_of(listed: Numbering) -> ClassTable:
    """A class table made from a class list. Raises `DataError` as `ClassTable`."""
    names = tuple(one.name for one in listed.meanings if one.name is not None)
    table = ClassTable.of(names)
    colours = tuple(one.colour or table.colours[i] for i, one in enumerate(listed.meanings))
    return ClassTable(names, colours, table.background)


def _listed(folder: Path, classes: ClassTable | None, *, outside: bool) -> Numbering | None:
    found = class_list(folder, LISTS_BESIDE)
    if found is None and (folder / SUMMARY).is_file():
        found = _summary(folder / SUMMARY)
    return _above(real(folder), classes) if found is None and outside else found


def _above(folder: Path, classes: ClassTable | None) -> Numbering | None:
    """The class list in the folder above. It may be a list for other files, such as boxes, which have no background.

    Raises:
        DataError: The list does not have the background of ``classes``, so 0 may mean the background or the first class
            of the list.
    """
    found = class_list(folder.parent)
    background = None if classes is None or classes.background is None else classes.names[classes.background]
    if found is not None and background is not None and background not in found.names():
        raise DataError(
            f"the class list above the label images has no {background!r}, so it may belong to other files",
            where=found.source,
            fix="put the list of the label images into their folder, as classes.txt: one name per line, from 0 on",
        )
    return found


def read_numbering(path: Path) -> Numbering:
    """Read one of `LISTS_BESIDE`. Raises `DataError` as `read_classes`, and for a repeated name."""
    names, colours = _labelmap(path) if path.name == "labelmap.txt" else read_names(path)
    if names and names[0] == IGNORE_WORD:  # labelme numbers its list from -1 on
        names, colours = names[1:], {number - 1: colour for number, colour in colours.items() if number}
    if "background" not in names:
        names = ["background" if name == BACKGROUND_WORD else name for name in names]
    _require_names(names, path)
    return Numbering.of(names, colours, source=str(path))


def _labelmap(path: Path) -> tuple[list[str], dict[int, Colour]]:
    """CVAT's list, one line for each class: ``label:color_rgb:parts:actions``."""
    names, _ = read_names(path)
    found: list[str] = []
    colours: dict[int, Colour] = {}
    for line in names:
        name, *fields = line.split(":")
        if line.startswith("#") or not line:
            continue
        numbers = fields[0].split(",") if fields else []
        if len(numbers) == 3 and all(number.strip().isdecimal() and int(number) <= 255 for number in numbers):
            colours[len(found)] = (int(numbers[0]), int(numbers[1]), int(numbers[2]))
        found.append(name)
    return found, colours


def _summary(path: Path) -> Numbering | None:
    """The classes of a prediction's summary; None for another table with that file name."""
    try:
        with open_regular(path, max_bytes=LIST_BYTES) as file:
            first = file.readline(MAX_HEADER)
        columns = next(csv.reader([first.decode("utf-8-sig")]), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no table in UTF-8"
        raise FormatError(f"the table cannot be read: {reason}", where=path) from None
    count = len(SUMMARY_COLUMNS)
    if tuple(columns[:count]) != SUMMARY_COLUMNS or len(columns) == count:
        return None
    # A name that a spreadsheet would read as a formula is written with an apostrophe.
    names = [name[1:] if name[:1] == "'" and name[1:2] in tuple("=+-@\t\r") else name for name in columns[count:]]
    _require_names(names, path)
    return Numbering.of(names, source=str(path))


def _require_names(names: Sequence[str], path: Path) -> None:
    if not names:
        raise DataError("the class list is empty", where=path, fix="write one name a line, in the order of the numbers")
    refuse_unclear(names, path)
