"""Writes PASCAL VOC's box annotations: one XML file for each image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from underpaint.annotations.parsing.xml_text import MAX_BYTES, NO_XML, OURS
from underpaint.annotations.voc_xml.read import FIRST, SIDES
from underpaint.core.atomic import atomic_folder, within
from underpaint.core.errors import HintError
from underpaint.hints.check import check_hints
from underpaint.hints.types import Hints


def write_voc_boxes(path: Path, hints: Iterable[Hints], *, file: Callable[[str], str] = str) -> None:
    """Write a folder with a file ``IMAGE.xml`` for each image.

    Pixels count from 1, both ends included, as in VOC's own files. Coordinates that are no whole numbers are written
    with their decimals. An element ``<underpaint>`` states which classes are completely boxed, and the tags, so that
    `read_voc_boxes` infers nothing from these files. Other programs ignore it and take the boxes for complete.

    Args:
        path: The folder. An older one under this name is replaced at the end.
        hints: The hints of each image. Only boxes, `Hints.boxed` and tags are written.
        file: Gives the file name of an image.

    Raises:
        HintError: an image is given twice, a name has characters that XML cannot hold, a file is larger than a reader
            accepts, or hints contradict themselves.
        DataError: a name leads out of the folder, or writing fails. Nothing is left behind.
    """
    with atomic_folder(path) as folder:
        for one in hints:
            where = f"{path}: image {one.image!r}"
            check_hints(one, None, where)
            target = within(folder, f"{one.image}.xml")
            if target.exists():
                raise HintError(f"the image {one.image!r} is given twice", where=path)
            annotation = _annotation(one, file(one.image))
            annotation.extend(_objects(one))
            target.write_bytes(_document(annotation, one, where))


def _objects(hints: Hints) -> Iterator[Element]:
    for box in hints.boxes:
        item = Element("object")
        _child(item, "name", box.name)
        # Nothing is known of these three, which programs look for; the words are VOC's for an ordinary object.
        for tag, usual in (("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
            _child(item, tag, usual)
        corners = _child(item, "bndbox")
        for side, value in zip(SIDES, (box.x0 + FIRST, box.y0 + FIRST, box.x1, box.y1), strict=True):
            _child(corners, side, _number(value))
        yield item


def _annotation(hints: Hints, file: str) -> Element:
    """The outermost element with file name and size, and with what underpaint states."""
    annotation = Element("annotation")
    _child(annotation, "filename", PurePosixPath(file).name)
    if hints.size is not None:
        size = _child(annotation, "size")
        # Programs look for the depth. Images are read as RGB, however they are stored.
        for side, pixels in (("width", hints.size[1]), ("height", hints.size[0]), ("depth", 3)):
            _child(size, side, str(pixels))
    ours = _child(annotation, OURS)
    for name in sorted(hints.boxed):
        _child(ours, "boxed", name)
    if hints.tags is not None:
        tags = _child(ours, "tags")
        for state, names in (("present", hints.tags.present), ("absent", hints.tags.absent)):
            for name in sorted(names):
                _child(tags, state, name)
    return annotation


def _child(parent: Element, tag: str, text: str | None = None) -> Element:
    made = SubElement(parent, tag)
    made.text = text
    return made


def _number(value: float) -> str:
    """A number as text. Whole numbers have no decimal point, because programs read them as integers."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _document(annotation: Element, hints: Hints, where: str) -> bytes:
    # A reader strips the blanks around a word, and XML turns a carriage return into a line feed.
    changed = next((name for name in hints.names() if name != name.strip() or not name or "\r" in name), None)
    if changed is not None:
        fix = "rename the class"
        raise HintError(f"XML would change the class name {changed!r}", where=where, fix=fix)
    indent(annotation, "\t")
    text = tostring(annotation, encoding="unicode") + "\n"
    if control := NO_XML.search(text):
        fix = "rename the image or the class"
        raise HintError(f"XML cannot hold the character {control[0]!r}", where=where, fix=fix)
    content = text.encode()
    if len(content) > MAX_BYTES:
        raise HintError(f"the file would have {len(content)} bytes", where=where, accepted=f"at most {MAX_BYTES} bytes")
    return content
