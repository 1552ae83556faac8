"""Reads COCO instances JSON: one file for many images, with polygons, run lengths, boxes and key points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from underpaint.annotations.coco.annotation import annotation_hints
from underpaint.annotations.coco.index import list_of
from underpaint.annotations.parsing.fields import Fields
from underpaint.core.errors import FormatError
from underpaint.core.json_text import collector_paused, members, read_text
from underpaint.hints.ignore import set_aside
from underpaint.hints.types import Hints

T = TypeVar("T")


def read_coco(path: Path, *, left_out: Counter[str] | None = None) -> dict[str, Hints]:
    """Read COCO instances.

    The polygons of an annotation become regions, and so does a mask of run lengths, also of a crowd. An annotation
    without either, or whose segmentation covers nothing, becomes a box. Annotations with ``"ignore": 1`` (as
    pycocotools and others write it) become ignored areas. Visible key points become clicks of their class. The order is
    that of the file (see `layers`). Category ids may have gaps. Pixels without an annotation are unknown, and so is an
    image without annotations.

    Args:
        path: The JSON file.
        left_out: Counts what is left out, by reason; the reader adds to it.

    Raises:
        FormatError: another structure, or one id for two images, categories or annotations. The error names file and
            annotation.
    """
    text = read_text(path)
    rest: dict[str, Any] = {}
    read: _Annotations | None = None
    with collector_paused():
        for key, value in members(text, "annotations", path):
            if key != "annotations":
                rest[key] = value
                continue
            # In the usual order the categories come after the annotations, so they are searched in the text.
            if read is None and "images" in rest:
                read = _Annotations.of({"categories": list_of(text, "categories", "name"), **rest}, path)
            if read is not None:
                read.add(value)
        known = _Annotations.of(rest, path)
        if read is None or read.names != known.names:  # another order: read the annotations again, with all the rest
            read = known
            for key, value in members(text, "annotations", path):
                if key == "annotations":
                    read.add(value)
        if left_out is not None:
            left_out += read.left_out
        return read.joined()


@dataclass
class _Annotations:
    """The annotations that were read so far, by the id of their image."""

    path: Path
    names: dict[int, str]
    images: dict[int, Hints]
    hints: dict[int, list[Hints]]
    count: int = 0
    ids: set[int | str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, top: dict[str, Any], path: Path) -> _Annotations:
        fields = Fields(top, str(path))
        for key in ("images", "categories"):
            fields.value(key)  # raises an error for a file without them
        names = _by_id(((one.whole("id"), one.text("name")) for one in fields.items("categories")), "categories", path)
        images = _by_id((_image(one) for one in fields.items("images")), "images", path)
        return cls(path, names, images, {number: [] for number in images})

    def add(self, record: Any) -> None:
        fields = Fields(record, f"{self.path}, annotations[{self.count}]")
        self.count += 1
        number = fields.whole("image_id")
        if number not in self.images:
            fields.refuse("image_id", "the id of one of the images")
        if fields.whole("category_id") not in self.names:
            fields.refuse("category_id", f"one of the categories {sorted(self.names)[:20]}")
        name = self.names[fields.whole("category_id")]
        hints = annotation_hints(fields, name, self.images[number], self.left_out)
        if not self._repeats(fields, hints, number):
            self.hints[number].append(hints)

    def _repeats(self, fields: Fields, hints: Hints, number: int) -> bool:
        """Whether the annotation exactly repeats an earlier one.

        Raises:
            FormatError: Another annotation has the same id.
        """
        own = fields.value("id") if "id" in fields else None
        if not isinstance(own, int | str):
            return False
        if own in self.ids and hints not in self.hints[number]:
            raise _twice("annotations", own, self.path)
        repeats = own in self.ids
        self.ids.add(own)
        return repeats

    def joined(self) -> dict[str, Hints]:
        found = {image.image: _joined(image, self.hints.pop(number)) for number, image in self.images.items()}
        if len(found) < len(self.images):
            names = Counter(image.image for image in self.images.values())
            raise FormatError(f"two images have one file name, {names.most_common(1)[0][0]!r}", where=self.path)
        return found


def _by_id(entries: Iterable[tuple[int, T]], what: str, path: Path) -> dict[int, T]:
    """Entries by their ids. An exact repeat is accepted; two different entries with one id are an error."""
    found: dict[int, T] = {}
    for number, entry in entries:
        if found.setdefault(number, entry) != entry:
            raise _twice(what, number, path)
    return found


def _twice(what: str, number: int | str, path: Path) -> FormatError:
    fix = "give each a new number; merged files often contain the same number twice"
    return FormatError(f"two of the {what} have the id {number!r}", where=path, accepted="each id once", fix=fix)


def _image(fields: Fields) -> tuple[int, Hints]:
    known = "height" in fields and "width" in fields
    size = (fields.whole("height", low=1), fields.whole("width", low=1)) if known else None
    return fields.whole("id"), Hints(fields.text("file_name"), size=size, source="COCO")


def _joined(image: Hints, annotations: Sequence[Hints]) -> Hints:
    joined = replace(
        image,
        shapes=tuple(shape for one in annotations for shape in one.shapes),
        unplaced=sum(one.unplaced for one in annotations),
    )
    return set_aside(joined)
