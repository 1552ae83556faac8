"""XML of one file an image, and what our files state beside the words of a format that leaves it to be inferred."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from underpaint.core.atomic import atomic_folder, within
from underpaint.core.errors import FormatError, HintError
from underpaint.formats.check import check_hints
from underpaint.formats.xml_text import MAX_BYTES
from underpaint.hints.types import Hints, Tags

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML file can hold, not even escaped."""

OURS = "underpaint"
"""The element by which our files are known; other programs pass over it."""


@dataclass(frozen=True)
class Stated:
    """What a file of ours says in place of what a reader infers from a foreign one.

    Args:
        boxed: `Hints.boxed`.
        tags: `Hints.tags`.
    """

    boxed: frozenset[str]
    tags: Tags | None


def read_stated(annotation: Element, where: object) -> Stated | None:
    """What a file of ours states; None where the file is foreign.

    Raises:
        FormatError: a class without a name.
    """
    ours = annotation.find(OURS)
    if ours is None:
        return None
    tags = ours.find("tags")
    stated = Tags(_words(tags, "present", where), _words(tags, "absent", where)) if tags is not None else None
    return Stated(_words(ours, "boxed", where), stated)


def _words(parent: Element, tag: str, where: object) -> frozenset[str]:
    words = frozenset((child.text or "").strip() for child in parent.findall(tag))
    if "" in words:
        raise FormatError(f"<{tag}> names no class", where=where)
    return words


def write_annotations(
    path: Path, hints: Iterable[Hints], content: Callable[[Hints], Iterator[Element]], *, file: Callable[[str], str]
) -> None:
    """Write a folder with a file ``IMAGE.xml`` for each image.

    Args:
        path: The folder; an older one under this name is replaced at the end.
        hints: Hints of one image each.
        content: Gives the elements of a format for the hints of an image.
        file: Gives the file name of an image.

    Raises:
        HintError: an image given twice, names that XML cannot hold, more than a reader takes, or hints that contradict
            themselves.
        DataError: a name leads out of the folder, or the disk refuses. Nothing is left behind.
    """
    with atomic_folder(path) as folder:
        for one in hints:
            where = f"{path}: image {one.image!r}"
            check_hints(one, None, where)
            target = within(folder, f"{one.image}.xml")
            if target.exists():
                raise HintError(f"the image {one.image!r} is given twice", where=path)
            annotation = _annotation(one, file(one.image))
            annotation.extend(content(one))
            target.write_bytes(_document(annotation, one, where))


def _annotation(hints: Hints, file: str) -> Element:
    """The outermost element with file name, size, and what is stated."""
    annotation = Element("annotation")
    child(annotation, "filename", PurePosixPath(file).name)
    if hints.size is not None:
        size = child(annotation, "size")
        # Photographs are RGB whatever they were stored as, and programs look for the depth.
        for side, pixels in (("width", hints.size[1]), ("height", hints.size[0]), ("depth", 3)):
            child(size, side, str(pixels))
    ours = child(annotation, OURS)
    for name in sorted(hints.boxed):
        child(ours, "boxed", name)
    if hints.tags is not None:
        tags = child(ours, "tags")
        for state, names in (("present", hints.tags.present), ("absent", hints.tags.absent)):
            for name in sorted(names):
                child(tags, state, name)
    return annotation


def child(parent: Element, tag: str, text: str | None = None) -> Element:
    """Append an element."""
    made = SubElement(parent, tag)
    made.text = text
    return made


def number(value: float) -> str:
    """A number as text: whole ones without a point, as programs expect that read them as integers."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _document(annotation: Element, hints: Hints, where: str) -> bytes:
    # A reader strips the blanks around a word, and XML turns a carriage return into a line feed.
    strange = next((name for name in hints.names() if name != name.strip() or not name or "\r" in name), None)
    if strange is not None:
        fix = "rename the class"
        raise HintError(f"the class word {strange!r} would not come back from XML", where=where, fix=fix)
    indent(annotation, "\t")
    text = tostring(annotation, encoding="unicode") + "\n"
    if control := NO_XML.search(text):
        fix = "rename the image or the class"
        raise HintError(f"XML cannot hold the character {control[0]!r}", where=where, fix=fix)
    content = text.encode()
    if len(content) > MAX_BYTES:
        raise HintError(f"the file would have {len(content)} bytes", where=where, accepted=f"at most {MAX_BYTES} bytes")
    return content
