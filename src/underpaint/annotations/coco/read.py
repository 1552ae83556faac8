"""COCO instances JSON: one file for many images, with polygons, run lengths, boxes and key points."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from underpaint.annotations.coco.rle import read_rle
from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.parsing.sniff import is_json
from underpaint.core.errors import FormatError
from underpaint.core.json_text import collector_paused, members, read_text
from underpaint.hints.ignore import has_area, set_aside, thin
from underpaint.hints.types import IGNORED, Box, Click, Hints, Point, Polygon, Region

T = TypeVar("T")


VISIBLE = 2
"""COCO's flag of a key point that is seen; 1 is labelled but hidden behind something, 0 is not labelled."""


def is_coco(path: Path) -> bool:
    """Whether a file looks like COCO instances."""
    return is_json(path, "{", "images", "annotations", "categories")


def coco_classes(path: Path) -> tuple[str, ...]:
    """The names of the categories in the order of the file, without reading the annotations.

    Raises:
        FormatError: no list of categories with names.
    """
    found = _list_of(read_text(path), "categories", "name")
    if not found:
        raise FormatError("no categories", where=path, accepted='"categories": [{"id": 1, "name": "cat"}]')
    return tuple(dict.fromkeys(one["name"] for one in found))


def coco_ids(path: Path) -> dict[str, int]:
    """The id of each category by its name, without reading the annotations."""
    found: list[dict[str, Any]] = list(_list_of(read_text(path), "categories", "name"))
    return {one["name"]: one["id"] for one in reversed(found) if type(one.get("id")) is int}


def _list_of(content: str, key: str, text: str) -> list[dict[str, str]]:
    """The first list under ``key`` whose every object has the string ``text``; an empty one where there is none."""
    for match in re.finditer(rf'"{key}"\s*:\s*', content):
        try:
            found, _ = json.JSONDecoder().raw_decode(content, match.end())
        except (ValueError, RecursionError):
            continue
        if isinstance(found, list) and all(isinstance(one, dict) and isinstance(one.get(text), str) for one in found):
            return found
    return []


def coco_images(path: Path) -> tuple[str, ...]:
    """The file names of the images, without reading the annotations; none where they cannot be told."""
    return tuple(one["file_name"] for one in _list_of(read_text(path), "images", "file_name"))


def read_coco(path: Path, *, left_out: Counter[str] | None = None) -> dict[str, Hints]:
    """Read COCO instances.

    The polygons of an annotation become regions, and so does a mask of run lengths, crowds as well; an annotation
    without either, or whose segmentation covers nothing, is a box. Annotations that are to be ignored (``"ignore": 1``,
    as pycocotools and others write it) become ignored areas. Visible key points become clicks of their class. The
    order is that of the file (`layers` says what is done with it). Category ids may have gaps. What no annotation
    covers is unknown, and so is an image without annotations.

    Args:
        path: The JSON file.
        left_out: Counts here what is left out, by the reason.

    Raises:
        FormatError: not this structure, or one id for two images, categories or annotations; names the file and the
            annotation.
    """
    text = read_text(path)
    rest: dict[str, Any] = {}
    held: _Held | None = None
    with collector_paused():
        for key, value in members(text, "annotations", path):
            if key != "annotations":
                rest[key] = value
                continue
            if held is None and "images" in rest:  # the usual order; the categories, which come last, are looked up
                held = _Held.of({"categories": _list_of(text, "categories", "name"), **rest}, path)
            if held is not None:
                held.add(value)
        known = _Held.of(rest, path)
        if held is None or held.names != known.names:  # another order: once more, now that all the rest is known
            held = known
            for key, value in members(text, "annotations", path):
                if key == "annotations":
                    held.add(value)
        if left_out is not None:
            left_out += held.left_out
        return held.joined()


@dataclass
class _Held:
    """The annotations read so far, by image number."""

    path: Path
    names: dict[int, str]
    images: dict[int, Hints]
    hints: dict[int, list[Hints]]
    count: int = 0
    ids: set[int | str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, top: dict[str, Any], path: Path) -> _Held:
        fields = Fields(top, str(path))
        for key in ("images", "categories"):
            fields.value(key)  # a file without them is no COCO file
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
        said = _annotation(fields, name, self.images[number], self.left_out)
        if not self._repeats(fields, said, number):
            self.hints[number].append(said)

    def _repeats(self, fields: Fields, said: Hints, number: int) -> bool:
        """Whether the annotation is the exact repeat of one before it.

        Raises:
            FormatError: another one has its id.
        """
        own = fields.value("id") if "id" in fields else None
        if not isinstance(own, int | str):
            return False
        if own in self.ids and said not in self.hints[number]:
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
    """Entries by their ids, of which an exact repeat may pass; which of two is meant by one id cannot be known."""
    found: dict[int, T] = {}
    for number, entry in entries:
        if found.setdefault(number, entry) != entry:
            raise _twice(what, number, path)
    return found


def _twice(what: str, number: int | str, path: Path) -> FormatError:
    fix = "number them anew; files that were merged often keep the numbers of each"
    return FormatError(f"two of the {what} have the id {number!r}", where=path, accepted="each id once", fix=fix)


def _image(fields: Fields) -> tuple[int, Hints]:
    known = "height" in fields and "width" in fields
    size = (fields.whole("height", low=1), fields.whole("width", low=1)) if known else None
    return fields.whole("id"), Hints(fields.text("file_name"), size=size, source="COCO")


def _joined(image: Hints, annotations: Sequence[Hints]) -> Hints:
    joined = replace(
        image,
        clicks=tuple(click for one in annotations for click in one.clicks),
        scribbles=tuple(scribble for one in annotations for scribble in one.scribbles),
        boxes=tuple(box for one in annotations for box in one.boxes),
        regions=tuple(region for one in annotations for region in one.regions),
        unplaced=sum(one.unplaced for one in annotations),
    )
    return set_aside(joined)


def _annotation(fields: Fields, name: str, image: Hints, left_out: Counter[str]) -> Hints:
    """The hints of one annotation; its box is one where its segmentation covers nothing."""
    name = IGNORED if "ignore" in fields and fields.value("ignore") in (1, True) else name
    clicks = tuple(_clicks(fields, name)) if "keypoints" in fields else ()
    segmented = bool("segmentation" in fields and fields.value("segmentation"))
    regions, flat = _regions(fields, name, image) if segmented else ([], [])
    corners = None if regions else _corners(fields)
    boxes = (Box(name, *corners),) if corners and corners[0] < corners[2] and corners[1] < corners[3] else ()
    found = Hints(image.image, clicks=clicks, boxes=boxes, regions=tuple(regions))
    if regions:
        left_out["rings that cover nothing"] += len(flat)
    elif not (boxes or clicks):
        left_out["annotations that cover nothing"] += 1
        lines = tuple(map(thin, flat + _outline(corners)))
        return replace(found, scribbles=lines, unplaced=int(not (lines or segmented)))
    return found


def _regions(fields: Fields, name: str, image: Hints) -> tuple[list[Region], list[list[Point]]]:
    """The areas of a segmentation, and its rings that cover nothing."""
    if isinstance(fields.value("segmentation"), list):
        rings = [ring for ring in fields.flat_points("segmentation") if ring]
        sound = [has_area(ring) for ring in rings]
        areas: list[Region] = [Polygon(name, tuple(ring)) for ring, real in zip(rings, sound, strict=True) if real]
        return areas, [ring for ring, real in zip(rings, sound, strict=True) if not real]
    inner = fields.inner("segmentation")
    sides = inner.wholes("size", low=1)
    if len(sides) != 2 or image.size not in (None, tuple(sides)):
        inner.refuse("size", f"[height, width] of the image, {image.size}")
    bitmap = read_rle(name, (sides[0], sides[1]), inner.value("counts"), inner.where)
    return ([] if bitmap is None else [bitmap]), []


def _corners(fields: Fields) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 of the box, which may be empty; None where there is none."""
    if "bbox" not in fields or not fields.value("bbox"):
        return None
    values = [
        pair for ring in Fields({"bbox": [fields.value("bbox")]}, fields.where).flat_points("bbox") for pair in ring
    ]
    if len(values) != 2:
        fields.refuse("bbox", "[x, y, width, height]")
    (x, y), (width, height) = values
    return x, y, x + width, y + height


def _outline(corners: tuple[float, float, float, float] | None) -> list[list[Point]]:
    """The outline of an empty box as points."""
    if corners is None:
        return []
    x0, y0, x1, y1 = corners
    return [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]]


def _clicks(fields: Fields, name: str) -> Iterator[Click]:
    triples = fields.value("keypoints")
    if not isinstance(triples, list) or len(triples) % 3:
        fields.refuse("keypoints", "[x1, y1, v1, x2, y2, v2, ...]")
    for start in range(0, len(triples), 3):
        point = Fields(dict(zip("xyv", triples[start : start + 3], strict=True)), f"{fields.where}, keypoints")
        if point.whole("v", low=0) == VISIBLE:
            yield Click(name, point.number("x"), point.number("y"))
