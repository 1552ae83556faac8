"""Atomic writing: a file or folder is written completely or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from underpaint.core.errors import DataError
from underpaint.core.lock import try_lock, unlock
from underpaint.core.paths import leads_out, lies_in

LEFTOVER = re.compile(r"\..*\.[0-9a-f]{12}(\.old)?\.underpaint\.tmp", re.DOTALL)
"""Pattern of the names of temporary files and folders. Those of a killed process stay on the disk."""

_cleaned: set[str] = set()
"""Folders from which this process has removed leftovers. It does so once, because listing a folder takes time."""


def write_atomic(path: Path, content: bytes, *, root: Path | None = None) -> None:
    """Write a file under a temporary name in the same folder, flush it to the disk, then rename it.

    An older file at ``path`` is unchanged until the rename. The permissions follow the umask. Temporary files of killed
    processes in the folder are removed first.

    Args:
        path: The file.
        content: Its bytes.
        root: An existing folder; missing folders are created only below it. A long job passes its output folder here,
            so that the folder is not created again if a person removes it during the job. With None, all missing
            folders are created.

    Raises:
        DataError: The disk is full, the folder cannot be written, or ``root`` no longer exists. No temporary file
            remains.
    """
    fix = "free some space or choose a folder that can be written; nothing was changed"
    with _explained("file", path, fix), _claimed(path, root, _new_file) as (temporary, handle):
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        temporary.replace(path)


def within(folder: Path, name: str) -> Path:
    """Return the path of ``name`` below ``folder`` and create the folders between; ``folder`` itself must exist.

    Raises:
        DataError: The name is absolute, leads out of the folder, or is not a file name.
    """
    if leads_out(name):
        what = f"the name {name[:80]!r} leads out of the folder or is not a file name"
        raise DataError(what, where=folder, accepted="names such as 'a' or 'farm/0001'")
    target = folder / name
    _make_folders(target.parent, folder)
    return target


@contextmanager
def atomic_folder(path: Path, *, root: Path | None = None) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``; at the end flush its files to the disk and rename it.

    If the block raises an exception, the temporary folder is removed and nothing else has changed. At the end, an older
    folder at ``path`` is renamed, and it is removed after the new one has taken its place.

    Args:
        path: The folder.
        root: As in `write_atomic`.

    Raises:
        DataError: The disk is full, the folder cannot be written, or ``root`` no longer exists.
    """
    fix = "free some space or choose a folder that can be written; the earlier content is unchanged"
    with _explained("folder", path, fix), _claimed(path, root, _new_folder) as (temporary, _):
        yield temporary
        for file in temporary.rglob("*"):
            sync(file)
        _exchange(temporary, path)


@contextmanager
def first_folder(path: Path, *, root: Path | None = None) -> Iterator[Path]:
    """As `atomic_folder`, but a folder that is in its place by the end stays: of two writers the first one wins."""
    fix = "free some space or choose a folder that can be written; nothing was changed"
    with _explained("folder", path, fix), _claimed(path, root, _new_folder) as (temporary, _):
        yield temporary
        for file in temporary.rglob("*"):
            sync(file)
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
        sync(path.parent)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` for temporary files, and remove it at the end.

    Raises:
        DataError: As `atomic_folder`.
    """
    fix = "free some space or choose a folder that can be written; nothing was changed"
    with _explained("file", path, fix), _claimed(path, None, _new_folder) as (temporary, _):
        yield temporary


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders of killed processes from ``folder``.

    Every writer locks its temporary file or folder, and the lock ends with the process on every system. A file that is
    locked is kept.
    """
    found: list[Path] = []
    with suppress(OSError):  # the folder does not exist, or it may be written but not listed
        found = [path for path in folder.iterdir() if LEFTOVER.fullmatch(path.name)]
    for leftover in found:
        with suppress(OSError):  # another process has removed it in the meantime
            handle = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                if try_lock(handle):
                    _remove(leftover)
            finally:
                unlock(handle)


@contextmanager
def _explained(kind: str, path: Path, fix: str) -> Iterator[None]:
    """Turn the error of the operating system into a `DataError`; ``kind`` is "file" or "folder"."""
    try:
        yield
    except OSError as error:
        raise DataError(f"the {kind} could not be written: {error.strerror or error}", where=path, fix=fix) from error


@contextmanager
def _claimed(path: Path, root: Path | None, make: Callable[[Path], int]) -> Iterator[tuple[Path, int]]:
    """Yield a new locked file or folder beside ``path`` and its handle; remove it at the end if it was not renamed."""
    _make_folders(path.parent, root)
    key = str(path.parent.absolute())
    if key not in _cleaned:
        _cleaned.add(key)
        remove_leftovers(path.parent)
    temporary, handle = _locked(path, make)
    try:
        yield temporary, handle
    finally:
        _remove(temporary)
        unlock(handle)


def _locked(path: Path, make: Callable[[Path], int]) -> tuple[Path, int]:
    while True:
        temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}.underpaint.tmp")
        try:
            handle = make(temporary)
        except FileNotFoundError:
            if path.parent.is_dir():  # another process removed the new folder before it was opened: try again
                continue
            raise
        with suppress(FileNotFoundError):
            if try_lock(handle) is not False and os.path.samestat(temporary.stat(), os.fstat(handle)):
                return temporary, handle
        unlock(handle)  # another process removed it as a leftover before it was locked: try again


def _new_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _new_folder(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY)


def _make_folders(folder: Path, root: Path | None) -> None:
    if root is None:
        folder.mkdir(parents=True, exist_ok=True)
        return
    if not root.is_dir():
        raise DataError(
            "the folder was removed while files were being written to it",
            where=root,
            fix="run the command again, and do not move the folder before it ends",
        )
    if not lies_in(folder, root):
        raise DataError(
            "a folder inside the output folder is a link that leads out of it; nothing is written through the link",
            where=folder,
            fix=f"remove the link, or write to another folder than {root}",
        )
    parents = folder.relative_to(root).parts
    for depth in range(len(parents)):
        root.joinpath(*parents[: depth + 1]).mkdir(exist_ok=True)


def _exchange(new: Path, path: Path) -> None:
    """Rename ``new`` to ``path``. At no time is there a folder at ``path`` that is partly removed."""
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
    """Wait until a file, or the list of names in a folder, is stored on the disk. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
