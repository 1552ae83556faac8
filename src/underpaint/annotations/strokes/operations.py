"""The operations of a paint project, and their lines in a log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.parsing.shapes import read_shape, shape_record
from underpaint.core.errors import FormatError
from underpaint.hints.check import check_hints
from underpaint.hints.types import IGNORED, Hints, Shape

MAX_ID = 64
"""The limit of the length of an identifier."""

LAST = 2**53
"""The limit of the clock ``n``: the largest whole number that every JSON reader keeps."""

State = Literal["marked", "done"]

STATES: tuple[State, ...] = ("marked", "done")


@dataclass(frozen=True)
class Add:
    """A shape was drawn."""

    hint: Shape


@dataclass(frozen=True)
class Delete:
    """The shape of the operation ``target`` was deleted."""

    target: str


@dataclass(frozen=True)
class Retag:
    """The tags of the image were set. They replace the earlier ones."""

    present: frozenset[str]
    absent: frozenset[str]
    boxed: frozenset[str]


@dataclass(frozen=True)
class SetState:
    """A person declared the image done, or opened it again."""

    state: State


What = Add | Delete | Retag | SetState


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a person.

    Args:
        id: An identifier that no other operation of the project has.
        n: A Lamport clock, larger than that of every operation that the writer knew.
        at: The time in seconds since 1970.
        image: The name of the image.
        what: The change.
    """

    id: str
    n: int
    at: float
    image: str
    what: What

    def names(self) -> frozenset[str]:
        """The classes that the operation names."""
        what = self.what
        if isinstance(what, Add):
            return frozenset({what.hint.name}) - {IGNORED}
        return what.present | what.absent | what.boxed if isinstance(what, Retag) else frozenset()

    def line(self) -> bytes:
        """The line of a log, with its end."""
        head = {"id": self.id, "n": self.n, "at": self.at, "image": self.image}
        text = json.dumps(head | what_record(self.what), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "backslashreplace") + b"\n"


def what_record(what: What) -> dict[str, Any]:
    """The part of a line that states the change."""
    if isinstance(what, Add):
        return {"op": "add", "hint": shape_record(what.hint)}
    if isinstance(what, Delete):
        return {"op": "delete", "target": what.target}
    if isinstance(what, SetState):
        return {"op": "state", "state": what.state}
    return {"op": "tags", **{key: sorted(getattr(what, key)) for key in ("present", "absent", "boxed")}}


def read_operation(fields: Fields) -> Operation:
    """The operation of a line.

    Raises:
        FormatError: A field is missing, of another type or unknown.
        HintError: The shape is invalid.
    """
    n = fields.whole("n", low=0)
    if n > LAST:
        fields.refuse("n", f"0 to {LAST}")
    operation = Operation(read_id(fields, "id"), n, _read_time(fields), fields.text("image"), read_what(fields))
    fields.refuse_rest()
    return operation


def _read_time(fields: Fields) -> float:
    """The seconds since 1970, which have another limit than coordinates."""
    at = fields.value("at")
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= LAST:
        fields.refuse("at", "seconds since 1970")
    return float(at)


def read_id(fields: Fields, key: str) -> str:
    """An identifier: letters, digits, '-' and '_'."""
    text = fields.text(key)
    if len(text) > MAX_ID or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in text):
        fields.refuse(key, f"1 to {MAX_ID} letters, digits, '-' or '_'")
    return text


def read_what(fields: Fields) -> What:
    """Read the change of an operation by its field ``op``.

    Raises:
        FormatError, HintError: As `read_operation`.
    """
    word = fields.text("op")
    if word == "add":
        inner = fields.inner("hint")
        shape = read_shape(inner)
        check_hints(Hints("", shapes=(shape,)), None, fields.where)
        return Add(shape)
    if word == "delete":
        return Delete(read_id(fields, "target"))
    if word == "tags":
        tags = Retag(*(frozenset(fields.texts(key)) for key in ("present", "absent", "boxed")))
        if both := tags.present & tags.absent:
            raise FormatError(f"the classes {sorted(both)} are present and absent at once", where=fields.where)
        return tags
    if word == "state":
        return SetState(_state(fields))
    return fields.refuse("op", "add, delete, tags, state")


def _state(fields: Fields) -> State:
    text = fields.text("state")
    for state in STATES:
        if text == state:
            return state
    return fields.refuse("state", ", ".join(STATES))
