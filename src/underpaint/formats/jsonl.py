"""The hints file: JSON Lines, a header and then one image a line, geometry with class names.

The first line is ``{"underpaint": "hints", "version": 1}``. Each further line is an object with ``image`` and whatever
was said of that image; what was not said is left out::

    {"boxed": ["cat"], "boxes": [{"class": "cat", "x0": 1.0, "x1": 9.0, "y0": 2.0, "y1": 7.5}], "height": 240,
     "image": "pets/a", "scribbles": [{"class": "cat", "points": [[3.5, 3.5], [6.0, 4.0]], "width": 3.0}], "width": 320,
     "clicks": [{"class": "cat", "x": 4.5, "y": 5.5}], "mask": "labels/a.png", "seconds": 21.0, "source": "anna",
     "regions": [{"class": "cat", "points": [[1.0, 1.0], [8.0, 1.0], [8.0, 7.0]], "holes": []},
                 {"class": "owl", "x": 3, "y": 2, "width": 4, "height": 2, "runs": [1, 3, 4]},
                 {"ignored": true, "points": [[2.0, 2.0], [4.0, 2.0], [4.0, 4.0]]}],
     "tags": {"absent": ["owl"], "present": ["cat"]}}

A ``mask`` holds the numbers of the data set's class table, unless ``numbering`` says what they stand for:
``{"numbers": [{"number": 0, "class": "cat"}]}``. ``strokes`` is true where it labels few pixels, as scribbles do.
A region is a polygon (``points``, and ``holes`` where it has some) or a bitmap (``runs``, row by row, outside first).
One that is ``ignored`` has no class: its pixels are unknown, whatever lies below it. ``unplaced`` counts shapes of an
image that were left out and of which it is not known where they lay.
Coordinates are those of `underpaint.hints.types`. The classes are not repeated in the header: a hint carries its
class by name, so the file holds with any class table that has these names, in any order. Keys are sorted and numbers
written so that they read back exactly, so that equal hints give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from underpaint.core.atomic import write_atomic
from underpaint.core.classes import ClassTable, Meaning, Numbering
from underpaint.core.errors import FormatError, HintError
from underpaint.core.inside import leads_out, lies_in
from underpaint.core.regular import open_regular
from underpaint.formats.check import check_hints
from underpaint.formats.fields import Fields
from underpaint.formats.json_text import parse_json
from underpaint.formats.sniff import is_json
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Point, Polygon, Region, Scribble, Tags

VERSION = 1
HEADER = {"underpaint": "hints", "version": VERSION}

MAX_BYTES = 4 << 30
"""Limit of a hints file, which is read line by line."""

MAX_LINE = 16 << 20
"""Bytes of one line: about 600,000 points, several times what covers a photograph of 500 pixels with strokes."""


def read_hints(path: Path, classes: ClassTable | None = None, *, root: Path | None = None) -> dict[str, Hints]:
    """Read a hints file: hints by image name, in the order of the file.

    Args:
        path: The file.
        classes: Where given, every class name must be in this table.
        root: The data set's folder: where given, a label picture that lies outside of it through a link is refused.

    Raises:
        FormatError: missing, another version, not the structure above, NaN, an image given twice, a label picture
            outside of the data set; names file and line.
        HintError: a class outside the table, or hints that contradict themselves.
    """
    found: dict[str, Hints] = {}
    for number, text in _lines(path):
        where = f"{path}:{number}"
        record = parse_json(text, where)
        if number == 1:
            _check_header(record, where)
            continue
        hints = _hints(Fields(record, where), root)
        if hints.image in found:
            raise FormatError(f"the image {hints.image!r} is given twice", where=where, accepted="one line an image")
        check_hints(hints, classes, where)
        found[hints.image] = hints
    return found


def is_hints_file(path: Path) -> bool:
    """Whether a file is named or starts like a hints file."""
    return path.is_file() and (path.suffix.lower() == ".jsonl" or is_json(path, "{", "underpaint"))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and texts, empty lines passed over; the header is sure to be there."""
    try:
        with open_regular(path, max_bytes=MAX_BYTES) as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise FormatError("the line is too long", where=f"{path}:{number}", accepted=f"{MAX_LINE} bytes")
                if number == 1 or line.strip():
                    yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except OSError as error:
        raise FormatError(f"the hints file cannot be read: {error.strerror or error}", where=path) from None
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 text: {error}", where=f"{path}:{number}") from None
    if number == 0:
        raise FormatError("the hints file is empty", where=path, accepted=f"a first line {json.dumps(HEADER)}")


def _check_header(record: Any, where: str) -> None:
    if not isinstance(record, dict) or record.get("underpaint") != "hints":
        raise FormatError("not a hints file", where=where, accepted=f"a first line {json.dumps(HEADER)}")
    if record.get("version") != VERSION:
        seen = record.get("version")
        raise FormatError(f"hints file version {seen!r}", where=where, accepted=VERSION, fix="update underpaint")


def _hints(fields: Fields, root: Path | None) -> Hints:
    hints = Hints(
        image=fields.text("image"),
        size=_size(fields),
        clicks=tuple(_click(item) for item in fields.items("clicks")),
        scribbles=tuple(_scribble(item) for item in fields.items("scribbles")),
        boxes=tuple(_box(item) for item in fields.items("boxes")),
        boxed=frozenset(fields.texts("boxed")),
        tags=_tags(fields),
        mask=_mask(fields, root) if "mask" in fields else None,
        source=fields.text("source", empty=True) if "source" in fields else "",
        seconds=fields.number("seconds", low=0) if "seconds" in fields else None,
        regions=tuple(_region(item) for item in fields.items("regions")),
        unplaced=fields.whole("unplaced", low=1) if "unplaced" in fields else 0,
        numbering=_numbering(fields),
        strokes=fields.flag("strokes") if "strokes" in fields else False,
    )
    fields.refuse_rest()
    return hints


def _mask(fields: Fields, root: Path | None) -> str:
    """The path of the label picture: below the data set's folder, since the file may be a stranger's."""
    name = fields.text("mask")
    if leads_out(name) or (root is not None and not lies_in(root / name, root)):
        fields.refuse("mask", "a path below the data set's folder, such as 'masks/a.png', and no link out of it")
    return name


def _size(fields: Fields) -> tuple[int, int] | None:
    if "height" not in fields and "width" not in fields:
        return None
    return fields.whole("height", low=1), fields.whole("width", low=1)


def _click(fields: Fields) -> Click:
    click = Click(fields.text("class"), fields.number("x"), fields.number("y"))
    fields.refuse_rest()
    return click


def _scribble(fields: Fields) -> Scribble:
    points = tuple(fields.pairs("points"))
    scribble = Scribble(fields.text("class"), points, fields.number("width", above=0))
    fields.refuse_rest()
    return scribble


def _box(fields: Fields) -> Box:
    box = Box(fields.text("class"), *(fields.number(side) for side in ("x0", "y0", "x1", "y1")))
    fields.refuse_rest()
    return box


def _region(fields: Fields) -> Region:
    name = _region_name(fields)
    region: Region
    if "runs" in fields:
        corner = (fields.whole("x"), fields.whole("y"))
        size = (fields.whole("width", low=1), fields.whole("height", low=1))
        region = Bitmap(name, *corner, *size, tuple(fields.wholes("runs", low=0)))
    else:
        region = Polygon(name, tuple(fields.pairs("points")), tuple(map(tuple, fields.rings("holes"))))
    fields.refuse_rest()
    return region


def _region_name(fields: Fields) -> str:
    """The class of a region, or `IGNORED`."""
    if "ignored" not in fields:
        return fields.text("class")
    if fields.value("ignored") is not True:
        fields.refuse("ignored", "true, in place of a class")
    return IGNORED


def _numbering(fields: Fields) -> Numbering | None:
    if "numbering" not in fields:
        return None
    inner = fields.inner("numbering")
    numbering = Numbering(
        tuple(_meaning(item) for item in inner.items("numbers")),
        inner.text("others") if "others" in inner else None,
        fields.where,
    )
    inner.refuse_rest()
    return numbering


def _meaning(fields: Fields) -> Meaning:
    colour = fields.wholes("colour", low=0) if "colour" in fields else []
    if len(colour) not in (0, 3) or any(channel > 255 for channel in colour):
        fields.refuse("colour", "[red, green, blue], 0..255")
    name = fields.text("class") if "class" in fields else None
    meaning = Meaning(fields.whole("number", low=0), name, (colour[0], colour[1], colour[2]) if colour else None)
    fields.refuse_rest()
    return meaning


def _tags(fields: Fields) -> Tags | None:
    if "tags" not in fields:
        return None
    inner = fields.inner("tags")
    tags = Tags(frozenset(inner.texts("present")), frozenset(inner.texts("absent")))
    inner.refuse_rest()
    return tags


def write_hints(path: Path, hints: Iterable[Hints]) -> None:
    """Write a hints file, whole or not at all; an older file under the same name is replaced at the end.

    Raises:
        HintError: an image given twice, NaN, a label picture outside of the data set, or hints that contradict
            themselves.
        DataError: the disk refuses.
    """
    write_atomic(path, hints_bytes(path, hints))


def hints_bytes(path: Path, hints: Iterable[Hints]) -> bytes:
    """The content of a hints file; ``path`` is named in errors.

    Raises:
        HintError: as `write_hints`.
    """
    lines = [_dump(HEADER)]
    seen: set[str] = set()
    for one in hints:
        if one.image in seen:
            raise HintError(f"the image {one.image!r} is given twice", where=path, fix="merge its hints into one")
        seen.add(one.image)
        check_hints(one, None, f"{path}: {one.image}")
        if one.mask is not None and leads_out(one.mask):
            what = f"the label picture {one.mask!r} lies outside of the data set"
            raise HintError(what, where=path, fix="copy the label pictures into the data set's folder")
        lines.append(_dump(hint_record(one)))
    return b"".join(lines)


def hint_record(hints: Hints) -> dict[str, Any]:
    """The JSON object of one image, with the keys that say something."""
    said: dict[str, Any] = {
        "clicks": [{"class": click.name, "x": click.x, "y": click.y} for click in hints.clicks],
        "scribbles": [{"class": s.name, "points": _points(s.points), "width": s.width} for s in hints.scribbles],
        "boxes": [{"class": box.name, "x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1} for box in hints.boxes],
        "boxed": sorted(hints.boxed),
        "regions": [_region_record(region) for region in hints.regions],
        "source": hints.source,
        "unplaced": hints.unplaced,
    }
    record = {"image": hints.image} | {key: value for key, value in said.items() if value}
    if hints.size is not None:
        record |= {"height": hints.size[0], "width": hints.size[1]}
    if hints.tags is not None:
        record["tags"] = {"present": sorted(hints.tags.present), "absent": sorted(hints.tags.absent)}
    numbering = None if hints.numbering is None else _numbering_record(hints.numbering)
    optional = {"mask": hints.mask, "seconds": hints.seconds, "numbering": numbering, "strokes": hints.strokes or None}
    return record | {key: value for key, value in optional.items() if value is not None}


def _numbering_record(numbering: Numbering) -> dict[str, Any]:
    """Without the file that it was read from, which is another one on another machine."""
    meanings = [{"number": one.number, "class": one.name, "colour": one.colour} for one in numbering.meanings]
    said = [{key: value for key, value in one.items() if value is not None} for one in meanings]
    record = {"numbers": said, "others": numbering.others}
    return {key: value for key, value in record.items() if value}


def _region_record(region: Region) -> dict[str, Any]:
    said = {"ignored": True} if region.name == IGNORED else {"class": region.name}
    if isinstance(region, Bitmap):
        place = {"x": region.x, "y": region.y, "width": region.width, "height": region.height}
        return {**said, **place, "runs": list(region.runs)}
    holes = {"holes": [_points(hole) for hole in region.holes]} if region.holes else {}
    return {**said, "points": _points(region.ring), **holes}


def _points(points: Iterable[Point]) -> list[list[float]]:
    return [list(point) for point in points]


def _dump(item: Mapping[str, Any]) -> bytes:
    """One line. A file name that is no UTF-8 holds lone surrogates, which become JSON escapes and read back as such."""
    text = json.dumps(item, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"
