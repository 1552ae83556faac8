"""The project that a server serves: photographs, marks, classes, and who may write."""

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
from underpaint.datasets.annotated import PAINT, images_of
from underpaint.datasets.folder import own_classes
from underpaint.datasets.open import open_dataset
from underpaint.imagefiles.images import image_size
from underpaint.serve.answers import Answers

OKABE_ITO = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Colours that people with any colour vision can tell apart (Okabe and Ito, 2008)."""

MAX_OPS = 200
"""The limit of the operations of one request."""

MAX_POINTS = 20_000
"""The limit of the points of one stroke from the page."""

UNREADABLE = (0, 0)
"""The size of a photograph that cannot be read."""


@dataclass
class Photograph:
    """A photograph of the project. Its size is read when it is first asked for."""

    id: int
    name: str
    path: Path
    changed: int
    fault: str = ""
    _size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), or `UNREADABLE`; `fault` then says why."""
        if self._size is None:
            try:
                self._size = image_size(self.path)
            except DataError as error:
                self._size, self.fault = UNREADABLE, error.what
        return self._size


@dataclass(frozen=True)
class Request:
    """An operation that the page sends, and what the model guessed where it answers a question at a random place."""

    operation: Operation
    guess: str | None


@dataclass
class Site:
    """Photographs and marks in memory, and the logs on the disk.

    Args:
        data: The folder of photographs.
        folder: The project's folder.
        project: What ``project.json`` holds.
        fixed: Whether the class names are those of the data set, so that the page cannot change them.
        photographs: By number. A number is made from the name, and stays when photographs come or go.
        fold: The operations.
        remarks: What was left out of the logs.
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
        """Open the project of a folder of photographs, or begin one.

        Args:
            data: The folder of photographs, or a data set in any layout.
            folder: The project's folder; None for ``DATA/paint``.

        Raises:
            DataError: there are no photographs, the folder holds something else, or it cannot be written.
            FormatError: the project is damaged.
        """
        folder = folder or data / PAINT
        photographs, classes = _photographs(data)
        if is_project(folder):
            project = read_project(folder)
        elif folder.is_dir() and any(folder.iterdir()):
            raise DataError(
                "the folder holds something else than a paint project",
                where=folder,
                fix="give another folder for the marks with --project FOLDER",
            )
        else:
            project = PaintProject(secrets.token_hex(8), (PaintClass(BACKGROUND, "#999999", "0"),))
        if classes and tuple(one.name for one in project.classes) != classes:
            project = PaintProject(project.id, _with_looks(classes, project.classes))
        site = cls(data, folder, project, bool(classes), photographs)
        site.keep()
        (folder / STROKES).mkdir(exist_ok=True)
        return site

    def keep(self) -> None:
        """Write ``project.json``."""
        write_atomic(self.folder / PROJECT, self.project.content())

    @property
    def revision(self) -> int:
        """How many operations there are."""
        return len(self.fold)

    def photograph(self, number: int) -> Photograph:
        """A photograph by its number. Raises `LookupError`."""
        return self.photographs[number]

    def marks(self, name: str) -> Folded:
        """What is said of a photograph."""
        return self.fold.image(name)

    def summary(self, name: str) -> Summary:
        """What is said of a photograph, without its shapes."""
        return self.fold.summary(name)

    def marked_classes(self) -> set[str]:
        """The classes that any mark shows."""
        return {name for image in self.fold.images() for name in self.summary(image).classes}

    def set_classes(self, record: Mapping[str, Any]) -> None:
        """Take the classes that a person named on the page.

        Raises:
            FormatError: a name or colour that is none, or a class fewer than before.
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
                fix="change the data set's class list, and start again",
            )
        if lost := sorted((set(before) & self.marked_classes()) - set(after)):
            raise FormatError(
                f"marks show the class {lost[0]!r}, which the list leaves out",
                where="classes",
                fix="keep the class, or delete its marks first",
            )
        self.project = PaintProject(self.project.id, classes)
        self.keep()

    def read(self, records: Sequence[Any]) -> list[Request]:
        """Operations of the page, not kept yet.

        Args:
            records: JSON objects: ``id``, ``image`` (a number), ``op`` and what belongs to it.

        Raises:
            FormatError: an operation that makes no sense.
            HintError: a shape that makes no sense, or a class that the project lacks.
        """
        if len(records) > MAX_OPS:
            raise FormatError(f"{len(records)} operations at once", where="ops", accepted=f"up to {MAX_OPS}")
        every = [Fields(record, f"ops[{number}]") for number, record in enumerate(records)]
        guesses = [_answered(fields) for fields in every]
        return [
            Request(self._read(fields, n), guess) for n, (fields, guess) in enumerate(zip(every, guesses, strict=True))
        ]

    def write(self, operations: Sequence[Operation], person: str) -> None:
        """Append operations to the log of a person; when this returns, they are on the disk.

        Raises:
            DataError: the disk is full or the folder cannot be written. Then none is kept.
        """
        self._writers.setdefault(person, LogWriter(self.folder, person)).append(operations)

    def learn(self, requests: Sequence[Request], person: str) -> list[int]:
        """Take in what is on the disk; the numbers of the images."""
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
                f"the class {strange[0]!r} is none of the project",
                where=fields.where,
                accepted=", ".join(sorted(known)),
            )
        return operation

    def _refuse_long(self, fields: Fields) -> None:
        hint = fields.value("hint") if "hint" in fields else None
        points = hint.get("points") if isinstance(hint, dict) else None
        if isinstance(points, list) and len(points) > MAX_POINTS:
            raise FormatError(f"a stroke of {len(points)} points", where=fields.where, accepted=f"up to {MAX_POINTS}")

    def look_again(self) -> tuple[list[str], list[str]]:
        """Find photographs that came or went since; the names of both."""
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
    """What the model guessed where a person answers a question at a random place; None for any other operation."""
    place = fields.inner("place") if "place" in fields and fields.value("place") is not None else None
    if place is None:
        return None
    place.number("x"), place.number("y")
    guess = place.text("guess") if "guess" in place and place.value("guess") is not None else None
    return guess if place.flag("random") else None


def number_of(name: str) -> int:
    """The number of a photograph: 52 bits of a digest of its name, which a browser keeps exactly."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big") >> 12


def _photographs(data: Path) -> tuple[dict[int, Photograph], tuple[str, ...]]:
    """The photographs by number, and the class names where the data set has a list of its own."""
    if not data.is_dir():
        raise DataError("the folder of photographs is missing", where=data)
    listed = any((data / name).is_file() for name in ("classes.txt", "classes.json"))
    try:
        opened = open_dataset(data)
        images, classes = opened.images, opened.classes.names if listed or opened.masks else ()
    except DataError:
        images = images_of(data)
        own = data / "classes.txt"
        classes = own_classes(own).names if own.is_file() else ()
    found = {}
    inside = set(those_in(images.values(), data))  # a link that leads out of the folder is not followed
    for name, path in images.items():
        if path not in inside:
            continue
        found[number_of(name)] = Photograph(number_of(name), name, path, path.stat().st_mtime_ns // 1_000_000)
    return found, classes


def _with_looks(names: Sequence[str], before: Sequence[PaintClass]) -> tuple[PaintClass, ...]:
    """Classes with the colours and keys that they had, or else the next ones."""
    looks = {one.name: one for one in before}
    keys = iter("1234567890")
    free = (key for key in keys if all(one.key != key for one in before))
    made = []
    for place, name in enumerate(names):
        color = OKABE_ITO[place % len(OKABE_ITO)]
        made.append(looks.get(name) or PaintClass(name, color, next(free, None)))
    return tuple(made)


def json_bytes(record: Any) -> bytes:
    """A record as JSON; lone surrogates in file names become escapes."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
