"""PASCAL VOC's box annotations: one XML file an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError
from underpaint.formats.images import find_files
from underpaint.formats.sniff import files_of, is_xml
from underpaint.formats.xml_text import Element, number_of, read_xml, size_of, text_of
from underpaint.hints.types import Box, Hints, Tags

Base = Literal["auto", 0, 1]

SUFFIXES = frozenset({".xml"})

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def is_voc(path: Path) -> bool:
    """Whether the first XML file that has objects or ScribbleSup's lines has objects, or none has either."""
    files = files_of(path, SUFFIXES)
    for file in files:
        if is_xml(file, "annotation", "polygon") or is_xml(file, "annotation", "object"):
            return not is_xml(file, "annotation", "polygon")
    return any(is_xml(file, "annotation") for file in files[:1])


def read_voc_boxes(path: Path, classes: ClassTable, *, base: Base = "auto") -> dict[str, Hints]:
    """Read VOC box XML, a file or a folder of them.

    The image is the one named like the XML file; its ``<filename>`` is passed over, which copied files often get wrong.
    VOC annotates every object of its classes, so the classes of the table count as boxed completely (but the
    background; without a background class, only those that have a box somewhere in ``path``), and tags follow.
    Class words are returned as they stand, in or out of the table.

    Coordinates are pixel numbers, both ends included. VOC itself counts pixels from 1, many tools from 0: with
    ``auto`` they count from 0 if any number in any of the files is below 1, else from 1. A file that counts from 0 and
    is taken to count from 1 gives boxes that are one pixel off, and the other way round.

    Args:
        path: A file, or a folder with files in any depth.
        classes: The class table, for what is boxed.
        base: Number of the first pixel.

    Raises:
        FormatError: unreadable XML, or an object without name or box; names the file.
    """
    files = find_files(path, SUFFIXES) if path.is_dir() else {path.stem: path}
    annotations = {name: (file, read_xml(file, "annotation")) for name, file in files.items()}
    objects = {name: _objects(root, file) for name, (file, root) in annotations.items()}
    first = _first_pixel(objects) if base == "auto" else base
    boxed = _boxed(objects, classes)
    found: dict[str, Hints] = {}
    for name, (file, root) in annotations.items():
        boxes = tuple(_half_open(box, first) for box in objects[name])
        present = frozenset(box.name for box in boxes)
        found[name] = Hints(
            image=name,
            size=size_of(root, file),
            boxes=boxes,
            boxed=boxed,
            tags=Tags(present, boxed - present),
            source="VOC boxes",
        )
    return found


def _objects(root: Element, file: Path) -> list[Box]:
    """The boxes with the numbers of the file."""
    boxes = []
    for number, item in enumerate(root.findall("object"), start=1):
        where = f"{file}, object {number}"
        corners = item.find("bndbox")
        if corners is None:
            raise FormatError("the object has no <bndbox>", where=where)
        box = Box(text_of(item, "name", where), *(number_of(corners, side, where) for side in _SIDES))
        if box.x0 > box.x1 or box.y0 > box.y1:
            raise FormatError(f"the box is empty: {box}", where=where, accepted="xmin <= xmax and ymin <= ymax")
        boxes.append(box)
    return boxes


def _first_pixel(objects: Mapping[str, list[Box]]) -> int:
    """0 where any coordinate is below 1, else VOC's 1."""
    least = min((min(box.x0, box.y0) for boxes in objects.values() for box in boxes), default=1.0)
    return 0 if least < 1 else 1


def _half_open(box: Box, first: int) -> Box:
    return Box(box.name, box.x0 - first, box.y0 - first, box.x1 - first + 1, box.y1 - first + 1)


def _boxed(objects: Mapping[str, list[Box]], classes: ClassTable) -> frozenset[str]:
    things = frozenset(classes.names[i] for i in classes.foreground)
    if classes.background is not None:
        return things
    return things & {box.name for boxes in objects.values() for box in boxes}
