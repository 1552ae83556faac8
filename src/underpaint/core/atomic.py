"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from underpaint.core.errors import DataError

MODE = 0o644
"""Permissions of a written file: `tempfile` makes files for the owner alone, which surprises on a shared disk."""


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in the same folder, flush it to the disk, then rename it.

    Until the rename an older file under ``path`` stays as it was; missing folders are made.

    Raises:
        DataError: the disk is full, or the folder cannot be written. Nothing is left behind.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(MODE)
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise DataError(
            f"the file could not be written: {error.strerror or error}",
            where=path,
            fix="free some space or choose a folder that can be written; nothing was changed",
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def within(folder: Path, name: str) -> Path:
    """The path of ``name`` below ``folder``, whose folders are made.

    Raises:
        DataError: the name is absolute, leads out of the folder, or is no file name.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name or "\\" in name:
        what = f"the name {name!r} leads out of the folder or is no file name"
        raise DataError(what, where=folder, accepted="names such as 'a' or 'farm/0001'")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``; at the end flush its files to the disk and rename it.

    If the block raises, the temporary folder is removed and nothing else has changed. An older folder under ``path`` is
    set aside at the end, whole, and removed when the new one is in its place.

    Raises:
        DataError: the disk is full, or the folder cannot be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent))
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        temporary.chmod(0o755)
        _exchange(temporary, path)
        temporary = None
    except OSError as error:
        raise DataError(
            f"the folder could not be written: {error.strerror or error}",
            where=path,
            fix="free some space or choose a folder that can be written; what was there before is still there",
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _exchange(new: Path, path: Path) -> None:
    """Rename ``new`` to ``path``; no moment shows a folder that is half removed."""
    old: Path | None = None
    if path.is_dir():
        old = new.with_name(f"{new.stem}.old.tmp")
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if old is not None:
            old.rename(path)
        raise
    _sync(path.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary folders that a killed process left in ``folder``."""
    for left in folder.glob(".*.tmp"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
