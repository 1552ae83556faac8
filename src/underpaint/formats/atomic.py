"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

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
