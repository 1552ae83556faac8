"""Reads ``project.json``: the classes of a paint project with their colours and keys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from underpaint.annotations.parsing.fields import Fields
from underpaint.core.classes import MAX_CLASSES
from underpaint.core.errors import FormatError
from underpaint.core.json_text import read_json

PROJECT = "project.json"
STROKES = "strokes"
VERSION = 1

KEYS = frozenset("1234567890")
"""The keys that choose a class on the page."""


@dataclass(frozen=True)
class PaintClass:
    """A class of the project: its name, its colour as ``#rrggbb``, and the key that selects it, or None."""

    name: str
    color: str
    key: str | None = None


@dataclass(frozen=True)
class PaintProject:
    """The content of ``project.json``.

    Args:
        id: Identifies the project. Browsers store unsent strokes under this identifier.
        classes: The classes in their order; empty as long as nobody has named one.
    """

    id: str
    classes: tuple[PaintClass, ...] = ()

    def content(self) -> bytes:
        """The bytes of ``project.json``."""
        classes = [{"name": one.name, "color": one.color, "key": one.key} for one in self.classes]
        record = {"underpaint": "paint", "version": VERSION, "id": self.id, "classes": classes}
        return json.dumps(record, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def is_project(path: Path) -> bool:
    """Whether a folder is a paint project."""
    file = path / PROJECT
    try:
        if not file.is_file():
            return False
        with file.open("rb") as opened:
            head = opened.read(200)
    except OSError:
        return False
    return b'"underpaint": "paint"' in head


def read_project(path: Path) -> PaintProject:
    """Read ``project.json`` of a project folder.

    Raises:
        FormatError: The file is missing, damaged, or has another version.
    """
    file = path / PROJECT
    fields = Fields(read_json(file, max_bytes=1 << 20), str(file))
    if fields.text("underpaint") != "paint":
        fields.refuse("underpaint", "paint")
    if fields.whole("version") != VERSION:
        raise FormatError(
            f"paint project version {fields.value('version')}", where=file, accepted=VERSION, fix="update underpaint"
        )
    project = PaintProject(fields.text("id"), checked_classes(fields))
    fields.refuse_rest()
    return project


def checked_classes(fields: Fields) -> tuple[PaintClass, ...]:
    """The classes in the field ``classes``.

    Raises:
        FormatError: A name is empty or repeated, a colour is not ``#rrggbb``, a key is not a digit, or there are more
            than 255 classes.
    """
    found = tuple(_class(item) for item in fields.items("classes"))
    for what, given in (
        ("name", [one.name for one in found]),
        ("key", [one.key for one in found if one.key is not None]),
    ):
        if len(set(given)) < len(given):
            repeated = next(one for one in given if given.count(one) > 1)
            raise FormatError(f"the class {what} {repeated!r} is given twice", where=fields.where)
    if len(found) > MAX_CLASSES:
        raise FormatError(f"{len(found)} classes", where=fields.where, accepted=f"up to {MAX_CLASSES}")
    return found


def _class(fields: Fields) -> PaintClass:
    name = fields.text("name").strip()
    if not name or len(name) > 100 or any(ord(letter) < 32 for letter in name):
        fields.refuse("name", "1 to 100 letters, without line breaks")
    color = fields.text("color")
    if len(color) != 7 or color[0] != "#" or not all(letter in "0123456789abcdefABCDEF" for letter in color[1:]):
        fields.refuse("color", "#rrggbb")
    key = fields.text("key") if "key" in fields and fields.value("key") is not None else None
    if key is not None and key not in KEYS:
        fields.refuse("key", "a digit, or null")
    fields.refuse_rest()
    return PaintClass(name, color.lower(), key)


def project_classes(path: Path) -> tuple[str, ...]:
    """The class names that the project declares, in their order."""
    return tuple(one.name for one in read_project(path).classes)
