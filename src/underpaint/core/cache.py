"""The folder in which underpaint keeps what can be made again: features of images, machine code, converted weights."""

from __future__ import annotations

import os
import stat
from pathlib import Path

VARIABLE = "UNDERPAINT_CACHE"
"""Environment variable that names another folder."""


def cache_folder(part: str) -> Path | None:
    """A folder of this user alone for one kind of thing, made where it is missing; None where there can be none.

    It lies in the folder that ``UNDERPAINT_CACHE`` names, else in ``underpaint`` below ``XDG_CACHE_HOME`` or
    ``~/.cache``. A folder that belongs to someone else, or that others may write to, is never used: what lies in it
    could be theirs.

    Args:
        part: Name of the kind, a folder name.
    """
    try:
        root = _root()
    except RuntimeError:  # a user without a home
        return None
    folder = root / part
    return folder if own_folder(root) and own_folder(folder) else None


def own_folder(folder: Path) -> bool:
    """Whether this user, and nobody else, may write to a folder, which is made where it is missing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _is_own(folder) and os.access(folder, os.W_OK)
    except OSError:
        return False


def _root() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "underpaint"


def _is_own(folder: Path) -> bool:
    found = folder.stat()
    if not hasattr(os, "getuid"):
        return True
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
