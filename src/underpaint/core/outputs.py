"""Output files and folders. A command never replaces a file that it did not write itself.

An output folder has a record, ``.underpaint.jsonl``. Its first line states what the folder holds; every further line
names a file, a digest of its content, and the command that wrote it. A file that is not in the record, or that was
changed later, is taken as the work of a person. The record is written before the file, so that every file of a killed
command is in the record.
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
from underpaint.core.errors import DataError, listing

RECORD = ".underpaint.jsonl"
"""Name of the record. Readers of masks ignore files whose names start with a dot."""


def write_new(path: Path, content: bytes) -> None:
    """Write a new file. An existing file with the same content is left unchanged.

    Raises:
        DataError: There is another file with this name, or it cannot be written.
    """
    if os.path.lexists(path):
        if path.is_file() and path.read_bytes() == content:
            return
        raise DataError(
            "another file or folder with this name exists",
            where=path,
            fix="choose a new name, or remove the file; nothing was changed",
        )
    write_atomic(path, content)


@dataclass
class Output:
    """An output folder and its record.

    Args:
        root: The folder.
        holds: What it holds in words, such as "masks".
        by: The command that writes, such as "predict, run 'run'".
        written: Digests of each file in the record, by the path below the folder.
        inputs: For each file, its digests with what the content was made from, where the writer said so.
    """

    root: Path
    holds: str
    by: str
    written: dict[str, set[str]] = field(default_factory=dict)
    inputs: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path, *, holds: str, by: str, of: str = "", apart: Collection[str] = ()) -> Output:
        """Open an output folder, which is created if it is missing. It may hold only files of earlier calls.

        Args:
            root: The folder.
            holds: What it will hold; a folder that holds something else is refused.
            by: The command that writes.
            of: What the results belong to, if a folder must not mix results of different origin.
            apart: Names of folders directly below it that other code checks. If there is no record yet, they are
                checked here too.

        Raises:
            DataError: The folder cannot be written, or it holds other results, files that no earlier call wrote, or
                files that were changed later.
        """
        record = root / RECORD
        before, written, inputs, whole = _read(record)
        stated = f"{holds} of {of}" if of else holds
        if before not in (None, stated):
            raise DataError(
                f"the output folder holds {before}, and would get {stated}", where=root, fix="choose another folder"
            )
        output = cls(root, holds, by, written, inputs)
        output._refuse_foreign_files(() if before is None else apart)
        output._check_writable()
        output._append("" if whole else "\n", {} if before is not None else {"underpaint": "output", "holds": stated})
        return output

    def write(self, path: Path, content: bytes, *, made_from: str = "") -> None:
        """Write a file below the folder atomically; a file of an earlier call is replaced.

        Args:
            path: The file.
            content: Its bytes.
            made_from: A fingerprint of everything that the content depends on, for `made`.

        Raises:
            DataError: There is a file that no call wrote or that was changed later, the folder was removed in the
                meantime, or the file cannot be written.
        """
        if not (self.root / RECORD).is_file():
            raise DataError(
                "the output folder was removed or renamed while it was written", where=self.root, fix="start again"
            )
        self._record(path, hashlib.blake2b(content, digest_size=16).hexdigest(), made_from)
        write_atomic(path, content, root=self.root)

    def made(self, path: Path, made_from: str) -> bool:
        """Whether a file is there unchanged, as an earlier call wrote it from these very inputs."""
        stated = self.inputs.get(path.relative_to(self.root).as_posix(), set())
        return bool(stated) and path.is_file() and (_file_digest(path), made_from) in stated

    def made_whole(self, path: Path, made_from: str) -> bool:
        """As `made`, for a file or a folder: whether all files in it that come from these very inputs are unchanged."""
        whole = path.relative_to(self.root).as_posix()
        files = [
            name
            for name, stated in self.inputs.items()
            if f"{name}/".startswith(f"{whole}/") and any(stamp == made_from for _, stamp in stated)
        ]
        return bool(files) and all(self.made(self.root / name, made_from) for name in files)

    def take(self, path: Path, made: Path, *, made_from: str = "") -> None:
        """Move a finished file to its place below the folder. Arguments and errors are those of `write`."""
        self._record(path, _file_digest(made), made_from)
        try:
            made.replace(path)
        except OSError as error:
            raise _refused(self.root, error) from error

    def _record(self, path: Path, digest: str, made_from: str) -> None:
        """Record a file that will be written. Raises `DataError` if it would replace a file of another origin."""
        name = path.relative_to(self.root).as_posix()
        if os.path.lexists(path) and not self._own(name):
            raise _foreign_files(self.root, [name])
        new = digest not in self.written.setdefault(name, set())
        if new or (made_from and (digest, made_from) not in self.inputs.get(name, ())):  # else it grew with every call
            said = {"file": name, "digest": digest, "by": self.by}
            self._append("", {**said, "from": made_from} if made_from else said)
            self.written[name].add(digest)
            if made_from:
                self.inputs.setdefault(name, set()).add((digest, made_from))

    def _own(self, name: str) -> bool:
        path = self.root / name
        if path.is_symlink() or not path.is_file():
            return False
        digest = _file_digest(path)
        if digest not in self.written.get(name, ()):  # another process may have written it: the record comes first
            _, self.written, self.inputs, _ = _read(self.root / RECORD)
        return digest in self.written.get(name, ())

    def _refuse_foreign_files(self, apart: Collection[str]) -> None:
        try:
            foreign = [name for name in _files(self.root, apart) if not self._own(name)]
        except OSError as error:
            raise _refused(self.root, error) from error
        if foreign:
            raise _foreign_files(self.root, foreign)

    def _check_writable(self) -> None:
        """Create the folder, so that a folder that cannot be written is reported before the work and not after it."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise _refused(self.root, error) from error

    def _append(self, start: str, line: dict[str, str]) -> None:
        """Add a line to the record with a single write, because several processes may write to it."""
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
    """Yield all files and links below a folder in order, except hidden ones and those in the folders ``apart``."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        linked = [name for name in folders if (here / name).is_symlink()]
        kept = sorted(name for name in folders if not name.startswith(".") and name not in linked)
        folders[:] = [name for name in kept if here != root or name not in apart]
        for name in sorted([*files, *linked]):
            if not name.startswith("."):
                yield (here / name).relative_to(root).as_posix()


def _read(record: Path) -> tuple[str | None, dict[str, set[str]], dict[str, set[tuple[str, str]]], bool]:
    """Read what the folder holds, the digests by file, with their inputs, and whether the last line is complete.

    A line that cannot be read, for example after a kill, is ignored; its file then counts as the work of a person.
    """
    if not record.is_file():
        return None, {}, {}, True
    text = record.read_bytes().decode("utf-8", "replace")
    holds: str | None = None
    written: dict[str, set[str]] = {}
    inputs: dict[str, set[tuple[str, str]]] = {}
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("underpaint") == "output":
                holds = str(entry.get("holds"))
            elif isinstance(entry, dict) and isinstance(entry.get("file"), str):
                written.setdefault(entry["file"], set()).add(str(entry.get("digest")))
                if "from" in entry:
                    inputs.setdefault(entry["file"], set()).add((str(entry.get("digest")), str(entry["from"])))
    return holds, written, inputs, not text or text.endswith("\n")


def _file_digest(path: Path) -> str:
    """Return the digest of a file, which may be larger than the memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _foreign_files(root: Path, names: list[str]) -> DataError:
    return DataError(
        f"the output folder holds {len(names)} file(s) that this command did not write, or that were changed "
        f"since: {listing(names)}",
        where=root,
        accepted="a new or empty folder, or one that this command made",
        fix="choose another folder with -o; none of these files was changed",
    )


def _refused(root: Path, error: OSError) -> DataError:
    return DataError(
        f"the output folder cannot be written: {error.strerror or error}", where=root, fix="choose another folder"
    )
