"""Where paths lead: names from files that would leave a folder, and links that do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

LONGEST = 4096
"""Bytes of the longest path that systems open (PATH_MAX of Linux)."""


def leads_out(name: str) -> bool:
    """Whether a name from outside is absolute, climbs above its folder, or is no file name of every system."""
    try:
        if len(os.fsencode(name)) > LONGEST:
            return True
    except UnicodeEncodeError:  # half a pair of surrogates, which JSON can state and no disk can hold
        return True
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or not path.name or "\0" in name or "\\" in name


def real(path: Path) -> Path:
    """The path behind all links. One that leads back to itself stays as it is, and needs not be there."""
    return Path(os.path.realpath(path))


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path, behind all links, lies in a folder or is the folder itself."""
    return real(path).is_relative_to(real(folder))


def those_in(paths: Iterable[Path], folder: Path) -> Iterator[Path]:
    """The paths that lie in a folder (`lies_in`), with one look at each of their own folders."""
    inside: dict[Path, bool] = {}
    for path in paths:
        if path.parent not in inside:
            inside[path.parent] = lies_in(path.parent, folder)
        if (inside[path.parent] and not path.is_symlink()) or lies_in(path, folder):
            yield path
