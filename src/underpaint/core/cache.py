"""The cache folder: features of images, compiled code and converted weights, all of which can be computed again."""

from __future__ import annotations

import os
import stat
from pathlib import Path

VARIABLE = "UNDERPAINT_CACHE"
"""Environment variable with the path of another cache folder."""


def cache_folder(part: str) -> Path | None:
    """Return a private folder of this user for one kind of cached data, or None if no such folder can be created.

    It is a folder in ``UNDERPAINT_CACHE`` if that variable is set, otherwise in ``underpaint`` below ``XDG_CACHE_HOME``
    or ``~/.cache``. For safety, a folder that belongs to another user, or that others may write to, is not used.

    Args:
        part: The folder name of this kind of data.
    """
    try:
        root = _root()
    except RuntimeError:  # the user has no home folder
        return None
    folder = root / part
    return folder if own_folder(root) and own_folder(folder) else None


def own_folder(folder: Path) -> bool:
    """Whether this user, and nobody else, may write to a folder. The folder is created if it is missing."""
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
