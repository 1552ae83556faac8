"""Reads the elements of a CVAT file, one image at a time, and checks their attributes when they are used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import iterparse

from underpaint.annotations.parsing.fields import NUMBER, from_text
from underpaint.annotations.parsing.xml_text import NOT_XML, fault_of
from underpaint.core.errors import FormatError
from underpaint.core.json_text import MAX_BYTES
from underpaint.core.regular import open_regular
from underpaint.hints.check import MAX_POINTS
from underpaint.hints.types import Point

MAX_DEPTH = 16
"""How deep elements may be nested. CVAT nests 8 at most, in the labels of a skeleton."""

MAX_ELEMENTS = 1_000_000
"""The limit of the elements of one image, which are in memory at once: about 300 MB."""


def images(path: Path) -> Iterator[Element]:
    """The ``<image>`` elements. Raises `FormatError` for a file of CVAT for video."""
    for element in children(path):
        if element.tag == "track":
            fix = "export as 'CVAT for images 1.1', which gives every frame its shapes"
            raise FormatError("tracks: the file is of 'CVAT for video'", where=path, fix=fix)
        if element.tag == "image":
            yield element


def children(path: Path) -> Iterator[Element]:
    """The children of the outermost element with all their content. Each is freed when the next one is requested."""
    try:
        with open_regular(path, max_bytes=MAX_BYTES) as file:
            root: Element | None = None
            depth = elements = 0
            for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
                root = element if root is None else root
                if event == "start":
                    depth, elements = depth + 1, elements + 1
                    _refuse_excess(root, depth, elements, path)
                    continue
                depth -= 1
                if depth == 1:
                    yield element
                    root.clear()
                    elements = 0
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror or error}", where=path) from None
    except NOT_XML as error:
        raise FormatError(f"not XML that can be read: {fault_of(error)}", where=path) from None


def _refuse_excess(root: Element, depth: int, elements: int, path: Path) -> None:
    if root.tag != "annotations":
        raise FormatError(f"the outermost element is {root.tag[:40]!r}", where=path, accepted="<annotations>")
    if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
        what = f"{elements} elements in one image, {depth} in each other"
        raise FormatError(what, where=path, accepted=f"{MAX_ELEMENTS} and {MAX_DEPTH}")


@dataclass(frozen=True)
class Marked:
    """The attributes of an element, checked when they are used."""

    element: Element
    where: str

    def text(self, key: str) -> str:
        """An attribute that must be there and not be empty."""
        value = self.element.get(key)
        if not value:
            raise FormatError(f"<{self.element.tag}> has no {key!r}", where=self.where)
        return value

    def number(self, key: str) -> float:
        """An attribute that is a finite number."""
        return self._finite(self.text(key), key)

    def whole(self, key: str) -> int:
        """An attribute that is a whole number."""
        number = self.number(key)
        if number != int(number):
            raise self._bad(key, self.text(key), "a whole number")
        return int(number)

    def angle(self) -> float:
        """The rotation in degrees, 0 where none is stated."""
        return self.number("rotation") if self.element.get("rotation") else 0.0

    def points(self) -> tuple[Point, ...]:
        """The points of ``x,y;x,y;...``."""
        text = self.text("points")
        if text.count(";") >= MAX_POINTS:
            raise self._bad("points", text, f"at most {MAX_POINTS} points")
        pairs = [pair.split(",") for pair in text.split(";")]
        if not all(len(pair) == 2 for pair in pairs):
            raise self._bad("points", text, "x,y;x,y;...")
        return tuple((self._finite(x, "points"), self._finite(y, "points")) for x, y in pairs)

    def runs(self, pixels: int) -> tuple[int, ...]:
        """The run lengths of a mask of ``pixels`` pixels."""
        text = self.text("rle")
        try:
            runs = tuple(int(run) for run in text.split(","))
        except ValueError:
            raise self._bad("rle", text, "whole numbers with commas between them") from None
        if min(runs) < 0 or sum(runs) != pixels:
            raise self._bad("rle", text, f"runs of 0 or more that sum to width x height, {pixels}")
        return runs

    def _finite(self, text: str, key: str) -> float:
        number = from_text(text)
        if number is None:
            raise self._bad(key, text, NUMBER)
        return number

    def _bad(self, key: str, value: str, accepted: str) -> FormatError:
        return FormatError(f"{key!r} of <{self.element.tag}> is {value[:40]!r}", where=self.where, accepted=accepted)
