"""Files and folders that a command makes: what the command did not write itself is never replaced.

A folder of results holds a record, ``.underpaint.jsonl``: its first line says what the folder holds, every further line
names a file, a digest of its content, and what wrote it. A file that is not in the record, or that was changed since,
belongs to a person. The record is written before the file, so that a kill between the two leaves nothing unclaimed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from underpaint.core.atomic import write_atomic
from underpaint.core.errors import DataError

RECORD = ".underpaint.jsonl"
"""Name of the record. Files whose name starts with a dot are no result, and no reader of masks takes them for one."""

SHOWN = 5
"""Files that a message names before it goes on with a count."""


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet; one that holds these very bytes already is left as it is.

    Raises:
        DataError: there is something else under this name, or the disk refuses.
    """
    if os.path.lexists(path):
        if path.is_file() and path.read_bytes() == content:
            return
        raise DataError(
            "there is something else under this name already",
            where=path,
            fix="choose a new name, or remove it; nothing was changed",
        )
    write_atomic(path, content)


@dataclass
class Output:
    """A folder of results and the record of what was written into it.

    Args:
        root: The folder.
        holds: What it holds, in words, as "masks".
        by: What writes, as "predict, run 'run'".
        written: Digests of each file of the record, by its path below the folder.
    """

    root: Path
    holds: str
    by: str
    written: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path, *, holds: str, by: str, of: str = "", apart: Collection[str] = ()) -> Output:
        """An output folder, made where it is missing, that holds nothing but what earlier calls wrote.

        Args:
            root: The folder.
            holds: What it is to hold; a folder of something else is refused.
            by: What writes.
            of: What these results are of, where results of something else must not lie among them.
            apart: Folders directly below it that other pieces look after; they are not looked into, unless there is no
                record yet, which makes them a person's.

        Raises:
            DataError: the folder cannot be written, or holds other results, files that no earlier call wrote, or files
                that were changed since.
        """
        record = root / RECORD
        before, written, whole = _read(record)
        stated = f"{holds} of {of}" if of else holds
        if before not in (None, stated):
            raise DataError(
                f"the output folder holds {before}, and would get {stated}", where=root, fix="choose another folder"
            )
        output = cls(root, holds, by, written)
        output._refuse_strangers(() if before is None else apart)
        output._check_writable()
        output._append("" if whole else "\n", {} if before is not None else {"underpaint": "output", "holds": stated})
        return output

    def write(self, path: Path, content: bytes) -> None:
        """Write a file below the folder, whole or not at all; one of an earlier call is replaced.

        Raises:
            DataError: there is a file that no call wrote or that was changed since, the folder was removed meanwhile,
                or the disk refuses.
        """
        name = path.relative_to(self.root).as_posix()
        if not (self.root / RECORD).is_file():
            raise DataError(
                "the output folder was removed or renamed while it was written", where=self.root, fix="start again"
            )
        if os.path.lexists(path) and not self._own(name):
            raise _strangers(self.root, [name])
        digest = _digest(content)
        if digest not in self.written.setdefault(name, set()):  # else the record need not grow with every call
            self._append("", {"file": name, "digest": digest, "by": self.by})
            self.written[name].add(digest)
        write_atomic(path, content, root=self.root)

    def take(self, path: Path, made: Path) -> None:
        """Put a finished file in its place, as `write` does for content that memory holds."""
        name = path.relative_to(self.root).as_posix()
        if os.path.lexists(path) and not self._own(name):
            raise _strangers(self.root, [name])
        digest = _file_digest(made)
        if digest not in self.written.setdefault(name, set()):
            self._append("", {"file": name, "digest": digest, "by": self.by})
            self.written[name].add(digest)
        try:
            made.replace(path)
        except OSError as error:
            raise _refused(self.root, error) from error

    def _own(self, name: str) -> bool:
        path, digests = self.root / name, self.written.get(name)
        if digests is None or path.is_symlink() or not path.is_file():
            return False
        return _file_digest(path) in digests

    def _refuse_strangers(self, apart: Collection[str]) -> None:
        try:
            strange = [name for name in _files(self.root, apart) if not self._own(name)]
        except OSError as error:
            raise _refused(self.root, error) from error
        if strange:
            raise _strangers(self.root, strange)

    def _check_writable(self) -> None:
        """Make the folder, and fail before the work and not after it."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise _refused(self.root, error) from error

    def _append(self, start: str, line: dict[str, str]) -> None:
        """Add a line to the record, in one piece: several processes may write."""
        text = start + (json.dumps(line) + "\n" if line else "")
        record = self.root / RECORD
        try:
            if record.is_symlink():
                raise DataError("the record of the output folder is a link", where=record, fix="choose another folder")
            with record.open("ab", buffering=0) as file:
                file.write(text.encode())
        except OSError as error:
            raise _refused(self.root, error) from error


def _files(root: Path, apart: Collection[str]) -> Iterator[str]:
    """All files and links below a folder, but for hidden ones and the folders ``apart``, in order."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        linked = [name for name in folders if (here / name).is_symlink()]
        kept = sorted(name for name in folders if not name.startswith(".") and name not in linked)
        folders[:] = [name for name in kept if here != root or name not in apart]
        for name in sorted([*files, *linked]):
            if not name.startswith("."):
                yield (here / name).relative_to(root).as_posix()


def _read(record: Path) -> tuple[str | None, dict[str, set[str]], bool]:
    """What the folder holds, the digests by file, and whether the last line is whole; nothing where there is no record.

    A line that is no such record, as one cut short by a kill, is passed over: its file then counts as a person's.
    """
    if not record.is_file():
        return None, {}, True
    text = record.read_bytes().decode("utf-8", "replace")
    holds: str | None = None
    written: dict[str, set[str]] = {}
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):
            said = json.loads(line)
            if isinstance(said, dict) and said.get("underpaint") == "output":
                holds = str(said.get("holds"))
            elif isinstance(said, dict) and isinstance(said.get("file"), str):
                written.setdefault(said["file"], set()).add(str(said.get("digest")))
    return holds, written, not text or text.endswith("\n")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _file_digest(path: Path) -> str:
    """The digest of a file that may be larger than memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _strangers(root: Path, names: list[str]) -> DataError:
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return DataError(
        f"the output folder holds {len(names)} file(s) that this command did not write, or that were changed "
        f"since: {shown}",
        where=root,
        accepted="a new or empty folder, or one that this command made",
        fix="choose another folder with -o; none of these files was changed",
    )


def _refused(root: Path, error: OSError) -> DataError:
    return DataError(
        f"the output folder cannot be written: {error.strerror or error}", where=root, fix="choose another folder"
    )
