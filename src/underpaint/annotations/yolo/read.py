"""Reads YOLO's text labels: one file for each image, with a box or a polygon in each line, in shares of its sides."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from underpaint.annotations.parsing.fields import NUMBER, from_text
from underpaint.annotations.parsing.sniff import holds
from underpaint.annotations.yolo.names import NAMED, YAML, states_names, yaml_classes
from underpaint.core.classes import BACKGROUND
from underpaint.core.errors import DataError, FormatError
from underpaint.core.json_text import read_text
from underpaint.hints.ignore import has_area, set_aside, thin
from underpaint.hints.types import Box, Hints, Polygon, Scribble
from underpaint.imagefiles.images import find_files, image_size
from underpaint.imagefiles.naming import Names

Size = tuple[int, int]

SUFFIXES = frozenset({".txt"})

LISTS = frozenset({"classes", "train", "val", "test", "requirements"})
"""The names of text files that hold no labels. Nor do those whose name begins with "readme"."""

MAX_LABELS = 16 << 20
"""The limit in bytes of the label file of one image: a polygon with a million points."""

BOX_COLUMNS = 5
"""The class, the centre and the sides. A polygon has a class and at least three points: 7 columns or more."""

_ROW = re.compile(r"\d+(\s+[-+.eE\d]+){4,}\s*")

_NUMBERS = re.compile(r"[-+.eE\d]+([,;\s]+[-+.eE\d]+){4,}[,;\s]*")
"""Matches a line of numbers, which must be a damaged YOLO label if there is a file with class names."""

EXAMINED = 32
"""Number of label files that are read to recognise the format."""


def is_yolo(path: Path) -> bool:
    """Whether a folder has label files. A ``data.yaml`` in such a folder is recognised as well.

    One line in YOLO's form in any of the first files is enough. If there is a file with class names, files with other
    numbers, and empty files in folders called ``labels``, are recognised too, so that the reader can report the errors
    in them.
    """
    if path.suffix.lower() in YAML and path.is_file():
        return holds(path, NAMED) and is_yolo(path.parent)
    if not path.is_dir():
        return False
    files = list(_labels(path).values())[:EXAMINED]
    lines = [line for file in files for line in read_text(file, max_bytes=MAX_LABELS).splitlines() if line.strip()]
    if any(_ROW.fullmatch(line) for line in lines):
        return True
    if not files or not states_names(path):
        return False
    return any(_NUMBERS.fullmatch(line.strip()) for line in lines) if lines else "labels" in files[0].parts


def _labels(path: Path) -> dict[str, Path]:
    """The label files below a folder: those in folders called ``labels``, or else all text files."""
    texts = find_files(path, SUFFIXES).items()
    found = {name: file for name, file in texts if not _is_list(PurePosixPath(name).name)}
    within_labels = {name: file for name, file in found.items() if "labels" in PurePosixPath(name).parent.parts}
    return within_labels or found


def _is_list(name: str) -> bool:
    return name in LISTS or name.lower().startswith("readme")


def read_yolo(
    path: Path, classes: Sequence[str], images: Mapping[str, Path], *, left_out: Counter[str] | None = None
) -> dict[str, Hints]:
    """Read label files. A line of 5 numbers is a box, a line of 7 or more is a polygon.

    The image of ``labels/train/a.txt`` is ``images/train/a``. An image without a label file, or with an empty one, is
    unknown, not free of objects. For an image that is missing only its name is returned.

    Args:
        path: The folder, or the ``data.yaml`` in it.
        classes: The class names by number.
        images: The image files by name, for their sizes.
        left_out: Counts what is left out, by reason; the reader adds to it.

    Raises:
        FormatError: a line of another structure, or a number without a class, with file and line; or no line at all.
    """
    counts: Counter[str] = Counter() if left_out is None else left_out
    path = path if path.is_dir() else path.parent
    labels = {_image(name): file for name, file in _labels(path).items()}
    if not any(read_text(file, max_bytes=MAX_LABELS).strip() for file in labels.values()):
        what = f"every label file is empty ({len(labels)} of them)"
        raise FormatError(what, where=path, fix="label some of the images; an empty file leaves its image unknown")
    matched = Names(images).match([(path, labels)])[0].images
    found: dict[str, Hints] = {}
    for stated, file in labels.items():
        image = matched.get(stated, stated)
        size = _size(images.get(image)) if stated in matched else None
        found[image] = Hints(image, source="YOLO") if size is None else _hints(image, size, file, classes, counts)
    if not yaml_classes(path):
        _refuse_background(found, classes, path)
    return found


def _image(name: str) -> str:
    """The path at which YOLO searches for the image of a label file."""
    return "/".join("images" if part == "labels" else part for part in PurePosixPath(name).parts)


def _refuse_background(found: Mapping[str, Hints], classes: Sequence[str], path: Path) -> None:
    """Refuse labels in which every object is background, because the class list is then probably in a wrong order."""
    drawn = {name for one in found.values() for name in one.drawn()}
    if drawn == {BACKGROUND} and len(classes) > 1:
        number = list(classes).index(BACKGROUND)
        raise FormatError(
            f"every object has the number {number}, which the class list calls {BACKGROUND!r}",
            where=path,
            accepted=f"labels numbered in the order of the class list, from 0 on: {', '.join(classes)}",
            fix=f"move the line {BACKGROUND!r} to the end of the class list, or remove it",
        )


def _size(image: Path | None) -> Size | None:
    """(H, W); None for an image that is missing or cannot be read, which the code that uses the image reports."""
    try:
        return None if image is None else image_size(image)
    except DataError:
        return None


def _hints(image: str, size: Size, file: Path, classes: Sequence[str], left_out: Counter[str]) -> Hints:
    boxes: list[Box] = []
    regions: list[Polygon] = []
    flat: list[Scribble] = []
    for number, line in enumerate(read_text(file, max_bytes=MAX_LABELS).splitlines(), start=1):
        if line.strip():
            shape = _shape(line.split(), size, classes, f"{file}:{number}")
            if isinstance(shape, Box):
                boxes.append(shape)
            elif has_area(shape.ring):
                regions.append(shape)
            else:
                left_out["polygons that cover nothing"] += 1
                flat.append(thin(shape.ring))
    hints = Hints(image, size=size, shapes=(*flat, *boxes, *regions), source="YOLO")
    return set_aside(hints)


def _shape(words: list[str], size: Size, classes: Sequence[str], where: str) -> Box | Polygon:
    if len(words) < BOX_COLUMNS and any("," in word for word in words):
        columns = len([word for word in ",".join(words).split(",") if word])
        accepted = "blanks between the numbers, as in 'class x y width height'"
        raise FormatError(f"{columns} columns separated by commas", where=where, accepted=accepted)
    if not (len(words) == BOX_COLUMNS or (len(words) > BOX_COLUMNS + 1 and len(words) % 2)):
        accepted = "'class x y width height', or 'class x1 y1 x2 y2 x3 y3 ...'"
        raise FormatError(f"the line has {len(words)} columns", where=where, accepted=accepted)
    if not classes and words[0].isdecimal():
        what = f"class {words[0][:9]} has no name: no names in a YAML file, classes.txt or obj.names"
        raise FormatError(
            what, where=where, fix="write classes.txt into the folder of the labels: one class name per line"
        )
    if not words[0].isdecimal() or len(words[0]) > 9 or int(words[0]) >= len(classes):
        raise FormatError(f"the class is {words[0][:20]!r}", where=where, accepted=f"0..{len(classes) - 1}")
    name, numbers = classes[int(words[0])], [_number(word, where) for word in words[1:]]
    height, width = size
    if len(words) > BOX_COLUMNS:
        return Polygon(name, tuple((x * width, y * height) for x, y in zip(numbers[::2], numbers[1::2], strict=True)))
    x, y, w, h = numbers[0] * width, numbers[1] * height, numbers[2] * width, numbers[3] * height
    if w <= 0 or h <= 0:
        raise FormatError("the box is empty", where=where, accepted="a width and a height above 0")
    return Box(name, x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def _number(word: str, where: str) -> float:
    number = from_text(word)
    if number is None:
        raise FormatError(f"{word[:20]!r} is not a number", where=where, accepted=NUMBER)
    return number
