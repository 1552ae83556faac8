"""Reads PASCAL VOC's box annotations: one XML file for each image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from underpaint.annotations.parsing.sniff import files_of, is_xml
from underpaint.annotations.parsing.xml_text import Element, Stated, number_of, read_stated, read_xml, size_of, text_of
from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError
from underpaint.hints.types import Box, Hints, Tags
from underpaint.imagefiles.images import find_files

Base = Literal["auto", 0, 1]

SUFFIXES = frozenset({".xml"})

FIRST = 1
"""The number of the first pixel in VOC's own files, and in those that underpaint writes."""

SIDES = ("xmin", "ymin", "xmax", "ymax")


def is_voc(path: Path) -> bool:
    """Whether a file or folder holds VOC's annotations.

    The first XML file with objects or with lines of ScribbleSup must have objects. If there is no such file, the first
    file must be an annotation. An object may have a polygon in addition to its box, as Roboflow and others write it.
    """
    files = files_of(path, SUFFIXES)
    for file in files:
        if is_xml(file, "annotation", "object"):
            return True
        if is_xml(file, "annotation", "polygon"):
            return False
    return any(is_xml(file, "annotation") for file in files[:1])


def read_voc_boxes(
    path: Path,
    classes: ClassTable,
    *,
    base: Base = "auto",
    left_out: Counter[str] | None = None,
    remarks: Counter[str] | None = None,
) -> dict[str, Hints]:
    """Read VOC box XML, a file or a folder of them.

    The image is the one with the name of the XML file. The ``<filename>`` is ignored, because it is often wrong in
    copied files. VOC annotates every object of its classes. Therefore all classes of the table except the background
    are completely boxed, and tags follow from this. If the table has no background class, only classes with a box in
    some file of ``path`` are completely boxed. Class names are returned unchanged.

    Coordinates are pixel numbers, both ends included. VOC itself counts pixels from 1, many tools from 0. With ``auto``
    they are taken to count from 0 if any number in any of the files is below 1, else from 1. If this is wrong, the
    boxes are shifted by one pixel.

    A file that `write_voc_boxes` made counts from 1, and states which classes are boxed and the tags.

    Args:
        path: A file, or a folder with files at any depth.
        classes: The class table, to know what is boxed.
        base: The number of the first pixel in files that underpaint did not write.
        left_out: Counts the outlines of objects, of which only the box is read.
        remarks: Counts files without an object, which mean that the image shows no class.

    Raises:
        FormatError: unreadable XML, or an object without name or box. The error names the file.
    """
    files = find_files(path, SUFFIXES) if path.is_dir() else {path.stem: path}
    annotations = {name: (file, read_xml(file, "annotation")) for name, file in files.items()}
    objects = {name: _objects(root, file) for name, (file, root) in annotations.items()}
    ours = {name: stated for name, (file, root) in annotations.items() if (stated := read_stated(root, file))}
    foreign = {name: boxes for name, boxes in objects.items() if name not in ours}
    outlines = sum(item.find("polygon") is not None for _, root in annotations.values() for item in root.iter("object"))
    if left_out is not None and outlines:
        left_out["outlines of objects (the box of each is kept)"] += outlines
    if remarks is not None and (empty := sum(not boxes for boxes in foreign.values())):
        remarks["files without an object: their images are taken to show no class"] += empty
    first = _first_pixel(foreign) if base == "auto" else base
    boxed = _boxed(foreign, classes)
    found: dict[str, Hints] = {}
    for name, (file, root) in annotations.items():
        stated = ours.get(name) or _inferred(objects[name], boxed)
        found[name] = Hints(
            image=name,
            size=size_of(root, file),
            shapes=tuple(_half_open(box, FIRST if name in ours else first) for box in objects[name]),
            boxed=stated.boxed,
            tags=stated.tags,
            source="VOC boxes",
        )
    return found


def _inferred(boxes: Iterable[Box], boxed: frozenset[str]) -> Stated:
    """The tags that follow from VOC's rule that an image has a box for every object."""
    present = frozenset(box.name for box in boxes)
    return Stated(boxed, Tags(present, boxed - present))


def _objects(root: Element, file: Path) -> list[Box]:
    """The boxes with the numbers of the file."""
    boxes = []
    for i, item in enumerate(root.findall("object"), start=1):
        where = f"{file}, object {i}"
        corners = item.find("bndbox")
        if corners is None:
            raise FormatError("the object has no <bndbox>", where=where)
        box = Box(text_of(item, "name", where), *(number_of(corners, side, where) for side in SIDES))
        # Both ends are included, so a box is empty if it ends one pixel before its start.
        if box.x0 >= box.x1 + 1 or box.y0 >= box.y1 + 1:
            raise FormatError(f"the box is empty: {box}", where=where, accepted="xmin <= xmax and ymin <= ymax")
        boxes.append(box)
    return boxes


def _first_pixel(objects: Mapping[str, list[Box]]) -> int:
    """0 where any coordinate is below 1, else 1 as in VOC."""
    least = min((min(box.x0, box.y0) for boxes in objects.values() for box in boxes), default=1.0)
    return 0 if least < FIRST else FIRST


def _half_open(box: Box, first: int) -> Box:
    return Box(box.name, box.x0 - first, box.y0 - first, box.x1 - first + 1, box.y1 - first + 1)


def _boxed(objects: Mapping[str, list[Box]], classes: ClassTable) -> frozenset[str]:
    things = frozenset(classes.names[i] for i in classes.foreground)
    if classes.background is not None:
        return things
    return things & {box.name for boxes in objects.values() for box in boxes}
