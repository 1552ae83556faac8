"""The project of a server: photographs, marks and classes."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.strokes.fold import Fold, Folded, Summary
from underpaint.annotations.strokes.log import LogWriter, logs, read_heads, writer_of
from underpaint.annotations.strokes.operations import Add, Operation, read_id, read_what
from underpaint.annotations.strokes.project import (
    PROJECT,
    STROKES,
    PaintClass,
    PaintProject,
    checked_classes,
    is_project,
    read_project,
)
from underpaint.core.atomic import write_atomic
from underpaint.core.classes import BACKGROUND
from underpaint.core.errors import DataError, FormatError
from underpaint.core.paths import those_in
from underpaint.datasets.annotated import PAINT
from underpaint.datasets.folder import own_classes
from underpaint.datasets.open import open_dataset
from underpaint.datasets.pictures import photographs
from underpaint.imagefiles.images import image_size
from underpaint.serve.answers import Answers

OKABE_ITO = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Colours that people with any colour vision can distinguish (Okabe and Ito, 2008)."""

MAX_OPS = 200
"""Largest number of operations in one request."""

MAX_POINTS = 20_000
"""Largest number of points of one stroke from the page."""

UNREADABLE = (0, 0)
"""The size of a photograph that cannot be read."""


@dataclass
class Photograph:
    """A photograph of the project. Its size is read when it is first needed."""

    id: int
    name: str
    path: Path
    changed: int
    fault: str = ""
    _size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), or `UNREADABLE`; then `fault` states the reason."""
        if self._size is None:
            try:
                self._size = image_size(self.path)
            except DataError as error:
                self._size, self.fault = UNREADABLE, error.what
        return self._size


@dataclass(frozen=True)
class Request:
    """An operation of the page, and the prediction of the model if it answers a question at a random place."""

    operation: Operation
    guess: str | None


@dataclass
class Site:
    """Photographs and marks in memory, and the logs on the disk.

    Args:
        data: Folder of photographs.
        folder: Folder of the project.
        project: Content of ``project.json``.
        fixed: Whether the class names are those of the data set, so that the page cannot change them.
        photographs: Photographs by number. A number depends only on the name, so that it never changes.
        fold: The operations.
        remarks: Counts of what was left out of the logs.
    """

    data: Path
    folder: Path
    project: PaintProject
    fixed: bool
    photographs: dict[int, Photograph]
    fold: Fold = field(default_factory=Fold)
    remarks: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.by_name = {one.name: one for one in self.photographs.values()}
        self._writers: dict[str, LogWriter] = {}
        self.answers = Answers(self.folder)
        for log in logs(self.folder):
            self.fold.extend(read_heads(log, self.remarks), writer_of(log))

    @classmethod
    def open(cls, data: Path, folder: Path | None = None) -> Site:
        """Open the project of a folder of photographs, or make a new one.

        Args:
            data: Folder of photographs, or a data set in any layout.
            folder: Folder of the project; None means ``DATA/paint``.

        Raises:
            DataError: There are no photographs, the folder contains other files, or it cannot be written.
            FormatError: The project is damaged.
        """
        folder = folder or data / PAINT
        photographs, classes = _photographs(data)
        if is_project(folder):
            project = read_project(folder)
        elif folder.is_dir() and any(folder.iterdir()):
            raise DataError(
                "the folder contains other files than those of a paint project",
                where=folder,
                fix="give another folder for the marks with --project FOLDER",
            )
        else:
            project = PaintProject(secrets.token_hex(8), (PaintClass(BACKGROUND, "#999999", "0"),))
        if classes and tuple(one.name for one in project.classes) != classes:
            project = PaintProject(project.id, _with_colours(classes, project.classes))
        site = cls(data, folder, project, bool(classes), photographs)
        site.keep()
        (folder / STROKES).mkdir(exist_ok=True)
        return site

    def keep(self) -> None:
        """Write ``project.json``."""
        write_atomic(self.folder / PROJECT, self.project.content())

    @property
    def revision(self) -> int:
        """Number of operations."""
        return len(self.fold)

    def photograph(self, number: int) -> Photograph:
        """A photograph by its number. Raises `LookupError`."""
        return self.photographs[number]

    def marks(self, name: str) -> Folded:
        """The marks and tags of a photograph."""
        return self.fold.image(name)

    def summary(self, name: str) -> Summary:
        """A summary of the marks and tags of a photograph, without shapes."""
        return self.fold.summary(name)

    def marked_classes(self) -> set[str]:
        """The classes of all marks."""
        return {name for image in self.fold.images() for name in self.summary(image).classes}

    def set_classes(self, record: Mapping[str, Any]) -> None:
        """Replace the classes by those from the page.

        Raises:
            FormatError: A name or colour is not valid, or a class with marks is missing.
        """
        fields = Fields(record, "the request")
        classes = checked_classes(fields)
        fields.refuse_rest()
        before, after = ([one.name for one in every] for every in (self.project.classes, classes))
        if self.fixed and after != before:
            raise FormatError(
                "the class names are those of the data set",
                where=self.data,
                accepted=", ".join(before),
                fix="change the class list of the data set, and start the command again",
            )
        if lost := sorted((set(before) & self.marked_classes()) - set(after)):
            raise FormatError(
                f"the class {lost[0]!r} has marks, but is missing in the list",
                where="classes",
                fix="keep the class, or delete its marks first",
            )
        self.project = PaintProject(self.project.id, classes)
        self.keep()

    def read(self, records: Sequence[Any]) -> list[Request]:
        """Read operations of the page without storing them.

        Args:
            records: JSON objects with ``id``, ``image`` (a number), ``op`` and the fields of the operation.

        Raises:
            FormatError: An operation is not valid.
            HintError: A shape is not valid, or a class is unknown.
        """
        if len(records) > MAX_OPS:
            raise FormatError(f"{len(records)} operations at once", where="ops", accepted=f"up to {MAX_OPS}")
        every = [Fields(record, f"ops[{number}]") for number, record in enumerate(records)]
        guesses = [_answered(fields) for fields in every]
        return [
            Request(self._read(fields, n), guess) for n, (fields, guess) in enumerate(zip(every, guesses, strict=True))
        ]

    def write(self, operations: Sequence[Operation], person: str) -> None:
        """Append operations to the log of a person. They are on the disk when this returns.

        Raises:
            DataError: The disk is full or the folder cannot be written. Then no operation is stored.
        """
        self._writers.setdefault(person, LogWriter(self.folder, person)).append(operations)

    def learn(self, requests: Sequence[Request], person: str) -> list[int]:
        """Add operations that are on the disk to the state in memory, and return the numbers of their images."""
        self.fold.extend((one.operation for one in requests), person)
        for one in requests:
            if one.guess is not None and isinstance(one.operation.what, Add):
                self.answers.add(one.guess == one.operation.what.hint.name)
        return list(dict.fromkeys(number_of(one.operation.image) for one in requests))

    def _read(self, fields: Fields, number: int) -> Operation:
        identifier, image = read_id(fields, "id"), fields.whole("image")
        if image not in self.photographs:
            raise FormatError(f"no photograph has the number {image}", where=fields.where)
        self._refuse_long(fields)
        operation = Operation(
            identifier,
            self.fold.clock + 1 + number,
            round(time.time(), 2),
            self.photographs[image].name,
            read_what(fields),
        )
        fields.refuse_rest()
        known = {one.name for one in self.project.classes}
        if strange := sorted(operation.names() - known):
            raise FormatError(
                f"the class {strange[0]!r} is not in the project",
                where=fields.where,
                accepted=", ".join(sorted(known)),
            )
        return operation

    def _refuse_long(self, fields: Fields) -> None:
        hint = fields.value("hint") if "hint" in fields else None
        points = hint.get("points") if isinstance(hint, dict) else None
        if isinstance(points, list) and len(points) > MAX_POINTS:
            raise FormatError(f"a stroke of {len(points)} points", where=fields.where, accepted=f"up to {MAX_POINTS}")

    def find_changes(self) -> tuple[list[str], list[str]]:
        """Find photographs that were added or removed, and return the names of both."""
        fresh, _ = _photographs(self.data)
        came = [one.name for number, one in fresh.items() if number not in self.photographs]
        went = [one.name for number, one in self.photographs.items() if number not in fresh]
        for number, one in fresh.items():
            old = self.photographs.get(number)
            if old is None or old.changed != one.changed:
                self.photographs[number] = one
        for number in [number for number in self.photographs if number not in fresh]:
            del self.photographs[number]
        self.by_name = {one.name: one for one in self.photographs.values()}
        return came, went

    def close(self) -> None:
        """Close the logs."""
        for writer in self._writers.values():
            writer.close()


def _answered(fields: Fields) -> str | None:
    """The prediction of the model if the operation answers a question at a random place; otherwise None."""
    place = fields.inner("place") if "place" in fields and fields.value("place") is not None else None
    if place is None:
        return None
    place.number("x"), place.number("y")
    guess = place.text("guess") if "guess" in place and place.value("guess") is not None else None
    return guess if place.flag("random") else None


def number_of(name: str) -> int:
    """The number of a photograph: 52 bits of a digest of its name, which JavaScript represents exactly."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big") >> 12


def _photographs(data: Path) -> tuple[dict[int, Photograph], tuple[str, ...]]:
    """The photographs by number, and the class names if the data set has a class list."""
    if not data.is_dir():
        raise DataError("the folder of photographs is missing", where=data)
    listed = any((data / name).is_file() for name in ("classes.txt", "classes.json"))
    try:
        opened = open_dataset(data)
        images, classes = opened.images, opened.classes.names if listed or opened.masks else ()
    except DataError:
        images = photographs(data)
        own = data / "classes.txt"
        classes = own_classes(own).names if own.is_file() else ()
    found = {}
    inside = set(those_in(images.values(), data))  # links to files outside the folder are not followed
    for name, path in images.items():
        if path not in inside:
            continue
        found[number_of(name)] = Photograph(number_of(name), name, path, path.stat().st_mtime_ns // 1_000_000)
    return found, classes


def _with_colours(names: Sequence[str], before: Sequence[PaintClass]) -> tuple[PaintClass, ...]:
    """Classes with their earlier colours and keys, or with the next free ones."""
    earlier = {one.name: one for one in before}
    keys = iter("1234567890")
    free = (key for key in keys if all(one.key != key for one in before))
    made = []
    for place, name in enumerate(names):
        color = OKABE_ITO[place % len(OKABE_ITO)]
        made.append(earlier.get(name) or PaintClass(name, color, next(free, None)))
    return tuple(made)


def json_bytes(record: Any) -> bytes:
    """A record as JSON. Lone surrogates in file names become escapes."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
