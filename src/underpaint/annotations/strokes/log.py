"""Reads and writes the append-only logs of a paint project."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.strokes.operations import MAX_ID, Add, Operation, read_operation
from underpaint.annotations.strokes.project import PROJECT, STROKES
from underpaint.core.atomic import atomic_folder, sync
from underpaint.core.errors import DataError, FormatError
from underpaint.core.json_text import parse_json
from underpaint.core.regular import encoding_of, open_regular
from underpaint.hints.types import Shape

MAX_BYTES = 4 << 30
"""The limit of a log, which is read line by line."""

MAX_LINE = 16 << 20
"""The limit of one line in bytes, as in a hints file."""

INCOMPLETE = "incomplete last line of a log, whose writer was stopped while it wrote the line"

WRITER = b'{"writer":'
"""The start of a first line that names the writer of a log."""

MAX_NAME = 60
"""The limit of the letters of a person's name."""

NAME = re.compile(r"[a-z0-9_]{1,40}")
"""The form of a person's name in the file name of a log."""


HEAD = re.compile(
    rb'\{"id": "([A-Za-z0-9_-]{1,%d})", "n": (\d{1,15}), "at": (\d{1,15}(?:\.\d{1,9})?), '
    rb'"image": "([^"\\\x00-\x1f]+)", "op": "add", '
    rb'"hint": \{"kind": "(click|scribble|box|polygon|bitmap)", "class": "([^"\\\x00-\x1f]+)", [^\n]*\}\}\n' % MAX_ID
)
"""A line of a log that adds a shape, as `Operation.line` writes it. A line of another form is read completely."""


@dataclass(frozen=True, slots=True)
class Head:
    """An operation that adds a shape, of which only the beginning of the line was read; `read` reads the shape.

    Args:
        id, n, at, image: As in `Operation`.
        name: The class.
        kind: The kind of the shape.
        log: The log.
        start: The byte at which the line begins.
    """

    id: str
    n: int
    at: float
    image: str
    name: str
    kind: str
    log: Path
    start: int

    def read(self) -> Shape:
        """The shape.

        Raises:
            FormatError: The log no longer exists, or the line is invalid.
            HintError: The shape is invalid.
        """
        for one, _ in read_log(self.log, Counter(), start=self.start):
            if one.id == self.id and isinstance(one.what, Add):
                return one.what.hint
            break
        raise FormatError("the log was changed while it was in use", where=self.log, fix="start the command again")


def logs(project: Path) -> list[Path]:
    """The logs of a project, in the order of their names."""
    folder = project / STROKES
    return sorted(folder.glob("*.jsonl")) if folder.is_dir() else []


def copy_marks(project: Path, to: Path) -> None:
    """Copy the classes and the logs of a project, so that what is painted later changes nothing in the copy.

    An operation that is being written may be cut in the copy, which reads as if it had not been made.

    Args:
        project: The project.
        to: The folder of the copy, which is a project too; it appears as a whole.

    Raises:
        DataError: The copy cannot be written.
    """
    with atomic_folder(to) as folder:
        shutil.copyfile(project / PROJECT, folder / PROJECT)
        (folder / STROKES).mkdir()
        for log in logs(project):
            shutil.copyfile(log, folder / STROKES / log.name)


def writer_of(log: Path) -> str:
    """The name of the writer of a log from its first line, or from the file name if there is no such line.

    Raises:
        FormatError: The log cannot be read, or its first line is damaged.
    """
    for line, _, where in _lines(log, Counter(), 0):
        if line.startswith(WRITER):
            fields = Fields(parse_json(_text(line, where), where), where)
            name = fields.text("writer")
            if len(name) > MAX_NAME or not name.isprintable():
                fields.refuse("writer", f"1 to {MAX_NAME} printable letters")
            fields.refuse_rest()
            return name
        break
    return log.stem.rpartition("-")[0] or log.stem


def read_log(path: Path, remarks: Counter[str], *, start: int = 0) -> Iterator[tuple[Operation, int]]:
    """The operations of a log, each with the position of the byte after its line.

    An incomplete last line is left out and counted. Its writer was not told that it was saved.

    Args:
        path: The log.
        remarks: Counts what is left out; this function adds to it.
        start: The byte at which to start, the end of an earlier call.

    Raises:
        FormatError: A line is not an operation. The error names the file and, if ``start`` is 0, the line.
        HintError: A shape is invalid.
    """
    for line, place, where in _operations(path, remarks, start):
        if line.strip():
            yield read_operation(Fields(parse_json(_text(line, where), where), where)), place + len(line)


def read_heads(path: Path, remarks: Counter[str]) -> Iterator[Operation | Head]:
    """The operations of a log with only the heads of added shapes, about forty times as fast as `read_log`.

    The shapes themselves are checked when they are read.

    Args:
        path: The log.
        remarks: As in `read_log`.

    Raises:
        FormatError, HintError: As `read_log`.
    """
    names: dict[bytes, str] = {}
    for line, place, where in _operations(path, remarks, 0):
        if found := HEAD.fullmatch(line):
            identifier, n, at, *texts = found.groups()
            try:
                image, kind, name = (names.setdefault(text, text.decode()) for text in texts)
            except UnicodeDecodeError as error:
                raise FormatError(encoding_of(error), where=where) from None
            yield Head(identifier.decode(), int(n), float(at), image, name, kind, path, place)
        elif line.strip():
            yield read_operation(Fields(parse_json(_text(line, where), where), where))


def _operations(path: Path, remarks: Counter[str], start: int) -> Iterator[tuple[bytes, int, str]]:
    """The lines of a log without a first line that names the writer."""
    return (one for one in _lines(path, remarks, start) if one[1] > 0 or not one[0].startswith(WRITER))


def _lines(path: Path, remarks: Counter[str], start: int) -> Iterator[tuple[bytes, int, str]]:
    """The complete lines of a log, each with the position of its first byte and its place for messages."""
    number, place = 0, start
    try:
        with open_regular(path, max_bytes=MAX_BYTES) as file:
            file.seek(start)
            while line := file.readline(MAX_LINE + 1):
                number += 1
                where = f"{path}:{number}" if start == 0 else f"{path}, byte {place}"
                if not line.endswith(b"\n"):
                    if len(line) > MAX_LINE:
                        raise FormatError("the line is too long", where=where, accepted=f"{MAX_LINE} bytes")
                    remarks[f"{INCOMPLETE} ({path.name})"] += 1
                    return
                yield line, place, where
                place += len(line)
    except OSError as error:
        raise FormatError(f"the log cannot be read: {error.strerror or error}", where=path) from None


def _text(line: bytes, where: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(encoding_of(error), where=where) from None


class UnsavedError(DataError):
    """Operations could not be written to the disk."""


class LogWriter:
    """Writes a new log of one person in one session. When `append` returns, the operations are stored on the disk.

    Args:
        project: The folder of the project.
        person: The name. It is written to the first line, and in small letters and digits to the file name.
    """

    def __init__(self, project: Path, person: str) -> None:
        self._project, self._person = project, person
        self._handle: int | None = None
        self._end = 0
        self.path: Path | None = None

    def append(self, operations: Sequence[Operation]) -> None:
        """Append operations and wait until they are stored on the disk. Either all of them are stored or none.

        Raises:
            UnsavedError: The disk is full, or the folder cannot be written.
        """
        content = b"".join(one.line() for one in operations)
        try:
            handle = self._opened()
            if not self._end:
                content = json.dumps({"writer": self._person}).encode() + b"\n" + content
            self._write(handle, content)
        except OSError as error:
            self._undo()
            raise UnsavedError(
                f"nothing can be saved: {error.strerror or error}",
                where=self._project / STROKES,
                fix="free some space, or make the folder writable; nothing that was saved before is lost",
            ) from None
        self._end += len(content)

    def _write(self, handle: int, content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)

    def _undo(self) -> None:
        """Remove the written part of operations that failed; if this fails too, the next call starts a new log."""
        if self._handle is None:
            return
        try:
            os.ftruncate(self._handle, self._end)
        except OSError:
            self.close()

    def _opened(self) -> int:
        if self._handle is None:
            folder = self._project / STROKES
            folder.mkdir(exist_ok=True)
            self.path = folder / f"{file_name_of(self._person)}-{secrets.token_hex(6)}.jsonl"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._handle = os.open(self.path, flags, 0o666)
            self._end = 0
            sync(folder)
        return self._handle

    def close(self) -> None:
        """Close the log. A later `append` starts a new one."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def file_name_of(person: str) -> str:
    """A person's name as a part of a file name."""
    name = "".join(letter if NAME.fullmatch(letter) else "_" for letter in person.lower())[:40]
    return name or "_"
