"""ScribbleSup's scribbles: one XML file an image (Lin et al., CVPR 2016)."""

from __future__ import annotations

from pathlib import Path

from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError
from underpaint.formats.images import find_files
from underpaint.formats.sniff import files_of, is_xml
from underpaint.formats.xml_text import Element, number_of, read_xml, size_of, text_of
from underpaint.hints.types import Hints, Scribble, Tags

SUFFIXES = frozenset({".xml"})

PEN = 3.0
"""Pen width in pixels with which the literature draws these lines, 3 % of the pixels (Tang et al., ECCV 2018)."""

WORDS = {
    "plane": "aeroplane",
    "bike": "bicycle",
    "table": "diningtable",
    "plant": "pottedplant",
    "monitor": "tvmonitor",
}
"""ScribbleSup's words where they differ from VOC's. A word that the class table has is left as it is."""

MAX_POINTS = 100_000
"""Limit of the points of one line, hundreds of times the longest known (330)."""


def is_scribblesup(path: Path) -> bool:
    """Whether the first XML file that has lines or VOC's objects has lines."""
    for file in files_of(path, SUFFIXES):
        if is_xml(file, "annotation", "polygon") or is_xml(file, "annotation", "object"):
            return is_xml(file, "annotation", "polygon")
    return False


def read_scribblesup(path: Path, classes: ClassTable) -> dict[str, Hints]:
    """Read ScribbleSup XML, a file or a folder of them.

    A ``<polygon>`` is an open line in spite of its name, its points are pixel numbers from 0. The annotators drew on
    every class that they saw, so tags are complete, but for the background where nobody drew on it. The image is the
    one named like the XML file. Class words become VOC's; those outside the table are returned as they stand.

    Args:
        path: A file, or a folder with files in any depth.
        classes: The class table, for the tags.

    Raises:
        FormatError: unreadable XML, or a line without class or points; names the file and line.
    """
    files = find_files(path, SUFFIXES) if path.is_dir() else {path.stem: path}
    return {name: _hints(name, file, classes) for name, file in files.items()}


def _hints(name: str, file: Path, classes: ClassTable) -> Hints:
    root = read_xml(file, "annotation")
    lines = root.findall("polygon")
    scribbles = tuple(_scribble(line, f"{file}, polygon {i}", classes) for i, line in enumerate(lines, start=1))
    present = frozenset(scribble.name for scribble in scribbles)
    things = frozenset(classes.names[i] for i in classes.foreground)
    return Hints(
        image=name,
        size=size_of(root, file),
        scribbles=scribbles,
        tags=Tags(present, things - present) if present else None,
        source="ScribbleSup",
    )


def _scribble(line: Element, where: str, classes: ClassTable) -> Scribble:
    word = text_of(line, "tag", where)
    points = line.findall("point")
    if not 1 <= len(points) <= MAX_POINTS:
        raise FormatError(f"the line has {len(points)} points", where=where, accepted=f"1 to {MAX_POINTS}")
    name = word if word in classes.names else WORDS.get(word, word)
    # A pixel number is the pixel's centre, half a pixel into it.
    centres = ((number_of(p, "X", where) + 0.5, number_of(p, "Y", where) + 0.5) for p in points)
    return Scribble(name, tuple(centres), PEN)
