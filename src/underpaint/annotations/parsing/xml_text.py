"""Reads XML files that are not trusted with defusedxml: no DTD, no entities, limited size, one typed error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat import errors

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from underpaint.annotations.parsing.fields import NUMBER, from_text
from underpaint.core.errors import FormatError
from underpaint.core.regular import read_regular
from underpaint.hints.types import Tags

__all__ = [
    "MAX_BYTES",
    "NOT_XML",
    "NO_XML",
    "OURS",
    "Element",
    "Stated",
    "fault_of",
    "number_of",
    "read_stated",
    "read_xml",
    "size_of",
    "text_of",
]

MAX_BYTES = 4 << 20
"""The limit of a file. The longest known annotation of one image (a ScribbleSup file) has 60 kB."""

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that an XML file cannot contain, not even escaped."""

OURS = "underpaint"
"""The element by which files that underpaint wrote are recognised. Other programs ignore it."""


NOT_XML = (ParseError, DefusedXmlException, ValueError, LookupError)
"""What the parser raises. ValueError and LookupError: the file names an encoding that Python does not know."""

FAULTS = {
    errors.codes[errors.XML_ERROR_NO_ELEMENTS]: "the file is empty or ends too early",
    errors.codes[errors.XML_ERROR_UNCLOSED_TOKEN]: "the file ends too early",
    errors.codes[errors.XML_ERROR_INVALID_TOKEN]: "a character that is not allowed here; is the file UTF-8 text?",
    errors.codes[errors.XML_ERROR_TAG_MISMATCH]: "an end tag does not belong to the start tag before it",
    errors.codes[errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "text after the end",
    errors.codes[errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: "an attribute is given twice",
    errors.codes[errors.XML_ERROR_UNDEFINED_ENTITY]: "an entity that is not defined, such as &nbsp;",
    errors.codes[errors.XML_ERROR_UNKNOWN_ENCODING]: "it names an unknown encoding",
}
"""What is wrong, by the number of the parser's error."""


def fault_of(error: Exception) -> str:
    """What is wrong with a file that is not XML, in words for the user."""
    if isinstance(error, DefusedXmlException):
        return "it has a document type or entities, which are not accepted"
    if isinstance(error, ParseError):
        line, column = error.position
        words = FAULTS.get(error.code, "this does not follow the rules of XML")
        return words if words.startswith("the file") else f"line {line}, column {column + 1}: {words}"
    return "it names an unknown encoding, or is not in the encoding that it names"


def read_xml(path: Path, root: str) -> Element:
    """Read an XML file whose outermost element is ``root``.

    Raises:
        FormatError: missing, too large, not XML, with a DTD or entities, or another outermost element.
    """
    try:
        element = fromstring(read_regular(path, max_bytes=MAX_BYTES), forbid_dtd=True)
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror or error}", where=path) from None
    except NOT_XML as error:
        raise FormatError(f"not XML that can be read: {fault_of(error)}", where=path) from None
    if element.tag != root:
        raise FormatError(f"the outermost element is <{element.tag[:40]}>", where=path, accepted=f"<{root}>")
    return element


def text_of(parent: Element, tag: str, where: object) -> str:
    """The text of a child. Raises `FormatError` where it is missing or empty."""
    child = parent.find(tag)
    text = (child.text or "").strip() if child is not None else ""
    if not text:
        raise FormatError(f"<{parent.tag}> has no <{tag}>", where=where)
    return text


def number_of(parent: Element, tag: str, where: object) -> float:
    """The number in a child. Raises `FormatError` where it is missing or not a finite number."""
    text = text_of(parent, tag, where)
    number = from_text(text)
    if number is None:
        raise FormatError(f"<{tag}> is {text[:40]!r}", where=where, accepted=NUMBER)
    return number


def size_of(annotation: Element, where: object) -> tuple[int, int] | None:
    """(H, W) from ``<size>``; None where it is missing, or 0 as some tools write it.

    Raises:
        FormatError: a width or height that is no whole number of 0 or more.
    """
    size = annotation.find("size")
    if size is None:
        return None
    sides = [number_of(size, side, where) for side in ("height", "width")]
    if not all(side >= 0 and side == int(side) for side in sides):
        raise FormatError(f"the size is {sides[1]:g} x {sides[0]:g}", where=where, accepted="whole numbers")
    return (int(sides[0]), int(sides[1])) if min(sides) > 0 else None


@dataclass(frozen=True)
class Stated:
    """Values that a file written by underpaint states, and that a reader must infer for other files.

    Args:
        boxed: The value of `Hints.boxed`.
        tags: The value of `Hints.tags`.
    """

    boxed: frozenset[str]
    tags: Tags | None


def read_stated(annotation: Element, where: object) -> Stated | None:
    """Read the values that a file written by underpaint states; None for a file of another program.

    Raises:
        FormatError: A class has no name.
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
