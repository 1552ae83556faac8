"""Reads ScribbleSup's scribbles: one XML file for each image (Lin et al., CVPR 2016)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from underpaint.annotations.parsing.sniff import files_of, is_xml
from underpaint.annotations.parsing.xml_text import Element, Stated, number_of, read_stated, read_xml, size_of, text_of
from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError
from underpaint.hints.types import Hints, Scribble, Tags
from underpaint.imagefiles.images import find_files

SUFFIXES = frozenset({".xml"})

PEN = 3.0
"""The pen width in pixels with which the literature draws these lines; they label 3 % of the pixels (Tang et al., ECCV
2018)."""

WORDS = {
    "plane": "aeroplane",
    "bike": "bicycle",
    "table": "diningtable",
    "plant": "pottedplant",
    "monitor": "tvmonitor",
}
"""ScribbleSup's class names where they differ from VOC's. A name that the class table has is not changed."""

CENTRE = 0.5
"""A pixel number stands for the centre of the pixel, so half a pixel is added."""

MAX_POINTS = 100_000
"""The limit of the points of one line, hundreds of times the longest known line (330)."""


def is_scribblesup(path: Path) -> bool:
    """Whether a file or folder holds ScribbleSup's lines.

    The first XML file that has lines or VOC's objects decides. It must have lines and no object to which they belong.
    """
    for file in files_of(path, SUFFIXES):
        if is_xml(file, "annotation", "object"):
            return False
        if is_xml(file, "annotation", "polygon"):
            return True
    return False


def read_scribblesup(path: Path, classes: ClassTable) -> dict[str, Hints]:
    """Read ScribbleSup XML, a file or a folder of them.

    A ``<polygon>`` is an open line in spite of its name, and its points are pixel numbers from 0. The annotators drew
    on every class that they saw, so tags are complete, except for a background without a line. The image is the one
    with the name of the XML file. Class names are converted to VOC's; names that the table does not have are returned
    unchanged. Files of version 0.1.0 of underpaint state their tags, so none are inferred for them.

    Args:
        path: A file, or a folder with files at any depth.
        classes: The class table, for the tags.

    Raises:
        FormatError: unreadable XML, or a line without class or points. The error names the file and the line.
    """
    files = find_files(path, SUFFIXES) if path.is_dir() else {path.stem: path}
    return {name: _hints(name, file, classes) for name, file in files.items()}


def _hints(name: str, file: Path, classes: ClassTable) -> Hints:
    root = read_xml(file, "annotation")
    lines = root.findall("polygon")
    scribbles = tuple(_scribble(line, f"{file}, polygon {i}", classes) for i, line in enumerate(lines, start=1))
    stated = read_stated(root, file) or _inferred(scribbles, classes)
    return Hints(
        image=name,
        size=size_of(root, file),
        shapes=scribbles,
        tags=stated.tags,
        source="ScribbleSup",
    )


def _inferred(scribbles: Iterable[Scribble], classes: ClassTable) -> Stated:
    """The tags that follow from ScribbleSup's rule that every class in an image has a line."""
    present = frozenset(scribble.name for scribble in scribbles)
    things = frozenset(classes.names[i] for i in classes.foreground)
    return Stated(frozenset(), Tags(present, things - present) if present else None)


def _scribble(line: Element, where: str, classes: ClassTable) -> Scribble:
    word = text_of(line, "tag", where)
    points = line.findall("point")
    if not 1 <= len(points) <= MAX_POINTS:
        raise FormatError(f"the line has {len(points)} points", where=where, accepted=f"1 to {MAX_POINTS}")
    name = word if word in classes.names else WORDS.get(word, word)
    centres = ((number_of(p, "X", where) + CENTRE, number_of(p, "Y", where) + CENTRE) for p in points)
    return Scribble(name, tuple(centres), PEN)
