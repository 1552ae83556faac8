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
        folder = root / part
        for each in (root, folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_own(each):
                return None
        return folder if os.access(folder, os.W_OK) else None
    except (OSError, RuntimeError):  # a user without a home
        return None


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
