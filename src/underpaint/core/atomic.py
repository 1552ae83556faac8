"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from underpaint.core.errors import DataError
from underpaint.core.inside import leads_out, lies_in
from underpaint.core.lock import let_go, taken

LEFTOVER = re.compile(r"\..*\.[0-9a-f]{12}(\.old)?\.underpaint\.tmp", re.DOTALL)
"""Names of what is being written, or was when its writer was killed."""

_tidied: set[str] = set()
"""Folders in which this process has looked for leftovers: once is enough, and a listing for each file would be slow."""


def write_atomic(path: Path, content: bytes, *, root: Path | None = None) -> None:
    """Write a file under a temporary name in the same folder, flush it to the disk, then rename it.

    Until the rename an older file under ``path`` stays as it was. Permissions are those that the umask leaves. What
    killed processes left in the folder is removed first.

    Args:
        path: The file.
        content: Its bytes.
        root: Missing folders are made below this one alone, which must be there: a long job gives its output folder, so
            that one that a person removes in the middle is not made again. None makes all of them.

    Raises:
        DataError: the disk is full, the folder cannot be written, or ``root`` is gone. Nothing is left behind.
    """
    fix = "free some space or choose a folder that can be written; nothing was changed"
    with _explained("file", path, fix), _claimed(path, root, _new_file) as (temporary, handle):
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        temporary.replace(path)


def within(folder: Path, name: str) -> Path:
    """The path of ``name`` below ``folder``, whose folders are made; ``folder`` itself must be there.

    Raises:
        DataError: the name is absolute, leads out of the folder, or is no file name.
    """
    if leads_out(name):
        what = f"the name {name[:80]!r} leads out of the folder or is no file name"
        raise DataError(what, where=folder, accepted="names such as 'a' or 'farm/0001'")
    target = folder / name
    _make_folders(target.parent, folder)
    return target


@contextmanager
def atomic_folder(path: Path, *, root: Path | None = None) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``; at the end flush its files to the disk and rename it.

    If the block raises, the temporary folder is removed and nothing else has changed. An older folder under ``path`` is
    set aside at the end, whole, and removed when the new one is in its place.

    Args:
        path: The folder.
        root: As in `write_atomic`.

    Raises:
        DataError: the disk is full, the folder cannot be written, or ``root`` is gone.
    """
    fix = "free some space or choose a folder that can be written; what was there before is still there"
    with _explained("folder", path, fix), _claimed(path, root, _new_folder) as (temporary, _):
        yield temporary
        for file in temporary.rglob("*"):
            sync(file)
        _exchange(temporary, path)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` for files on the way to it, and remove it at the end.

    Raises:
        DataError: as `atomic_folder`.
    """
    fix = "free some space or choose a folder that can be written; nothing was changed"
    with _explained("file", path, fix), _claimed(path, None, _new_folder) as (temporary, _):
        yield temporary


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes were writing in ``folder``; a file whose writer is alive stays, and so do others'.

    Every writer holds a lock on its temporary file or folder, which ends with its process on whatever machine.
    """
    found: list[Path] = []
    with suppress(OSError):  # a folder that is not there, or may be written but not listed
        found = [path for path in folder.iterdir() if LEFTOVER.fullmatch(path.name)]
    for left in found:
        with suppress(OSError):  # its writer lives, or it is gone by now
            handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                if taken(handle):
                    _remove(left)
            finally:
                let_go(handle)


@contextmanager
def _explained(kind: str, path: Path, fix: str) -> Iterator[None]:
    """Turn what the system says of a ``kind`` that cannot be written into a typed error."""
    try:
        yield
    except OSError as error:
        raise DataError(f"the {kind} could not be written: {error.strerror or error}", where=path, fix=fix) from error


@contextmanager
def _claimed(path: Path, root: Path | None, make: Callable[[Path], int]) -> Iterator[tuple[Path, int]]:
    """A new, locked file or folder beside ``path``, removed at the end where it was not renamed; and its handle."""
    _make_folders(path.parent, root)
    _tidy(path.parent)
    temporary, handle = _locked(path, make)
    try:
        yield temporary, handle
    finally:
        _remove(temporary)
        let_go(handle)


def _locked(path: Path, make: Callable[[Path], int]) -> tuple[Path, int]:
    while True:
        temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}.underpaint.tmp")
        handle = make(temporary)
        with suppress(FileNotFoundError):
            if taken(handle) is not False and os.path.samestat(temporary.stat(), os.fstat(handle)):
                return temporary, handle
        let_go(handle)  # another process, looking for leftovers, came between the making and the lock: once more


def _new_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _new_folder(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY)


def _tidy(folder: Path) -> None:
    key = str(folder.absolute())
    if key not in _tidied:
        _tidied.add(key)
        remove_leftovers(folder)


def _make_folders(folder: Path, root: Path | None) -> None:
    if root is None:
        folder.mkdir(parents=True, exist_ok=True)
        return
    if not root.is_dir():
        raise DataError(
            "the folder was removed while files were being written to it",
            where=root,
            fix="run the command again, and leave the folder where it is until it ends",
        )
    if not lies_in(folder, root):
        raise DataError(
            "a folder within it is a link that leads out of it: nothing is written through it",
            where=folder,
            fix=f"remove the link, or write to another folder than {root}",
        )
    parents = folder.relative_to(root).parts
    for depth in range(len(parents)):
        root.joinpath(*parents[: depth + 1]).mkdir(exist_ok=True)


def _exchange(new: Path, path: Path) -> None:
    """Rename ``new`` to ``path``; no moment shows a folder that is half removed."""
    old: Path | None = None
    if path.is_dir():
        old = new.with_name(new.name.replace(".underpaint.tmp", ".old.underpaint.tmp"))
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if old is not None:
            old.rename(path)
        raise
    sync(path.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
