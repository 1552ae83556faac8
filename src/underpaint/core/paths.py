"""Paths that a person gives, checked before any work."""

from __future__ import annotations

from pathlib import Path

from underpaint.core.errors import DataError


def existing(path: Path, what: str) -> Path:
    """The path itself, if something is there.

    Args:
        path: A file or folder.
        what: What it should be, as the message begins with it: "the run folder".

    Raises:
        DataError: nothing is there.
    """
    if not path.exists():
        raise DataError(f"{what} is missing", where=path, fix="correct the path")
    return path
