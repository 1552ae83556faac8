"""Paths: arguments of a call, names from files that would leave a folder, and where links lead."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from underpaint.core.errors import ConfigError, DataError

AnyPath = str | os.PathLike[str]
"""A path as a caller may pass it."""

SomePaths = AnyPath | Sequence[AnyPath]
"""One path or several."""

MOST = 10_000
"""Number of names in a folder that are compared with a missing name; this takes about a second."""

CUTOFF = 0.6
"""Lowest similarity of two names, from 0 to 1, at which one is suggested for the other."""

LONGEST = 4096
"""Number of bytes in the longest path that can be opened (PATH_MAX of Linux)."""


def as_path(value: AnyPath, argument: str) -> Path:
    """Convert an argument into a path. Raises `ConfigError`, which names the argument, if it is not a path."""
    if isinstance(value, str | os.PathLike) and isinstance(text := os.fspath(value), str):
        return Path(text)
    shown = type(value).__name__
    raise ConfigError(f"{argument} is a {shown}", where=argument, accepted="a path, as text or as pathlib.Path")


def as_paths(value: SomePaths, argument: str) -> tuple[Path, ...]:
    """Convert one path or several, in their order. Raises `ConfigError` as `as_path`."""
    if isinstance(value, list | tuple):
        return tuple(as_path(each, argument) for each in value)
    return (as_path(value, argument),)  # type: ignore[arg-type]  # a sequence of another type is refused there


def existing(path: Path, what: str) -> Path:
    """Return the path itself if it exists.

    Args:
        path: A file or folder.
        what: What it should be, as the first words of the message: "the run folder".

    Raises:
        DataError: It does not exist or cannot be reached.
    """
    try:
        exists = path.exists()
    except OSError as error:  # a folder without permission to search, or a name that is too long
        raise DataError(f"{what} cannot be reached: {error.strerror}", where=path, fix="correct the path") from None
    if not exists:
        raise DataError(f"{what} is missing", where=path, fix=nearest_path(path))
    return path


def nearest_path(path: Path) -> str:
    """Return a sentence that suggests the existing path with the most similar spelling, for a path that is missing."""
    parts = [path, *path.parents]
    try:
        found = next((place for place, part in enumerate(parts) if part.is_dir()), None)
        if found in (None, 0):
            return "correct the path"
        folder, name = parts[found], parts[found - 1].name
        names = [entry.name for entry in islice(os.scandir(folder), MOST) if not entry.name.startswith(".")]
    except (OSError, ValueError):  # ValueError: a zero byte in the path
        return "correct the path"
    close = difflib.get_close_matches(name, names, n=1, cutoff=CUTOFF)
    if not close:
        return f"correct the path; {folder} exists, but no name in it is similar to {name!r}"
    near = folder / close[0]
    rest = near.joinpath(*path.parts[len(parts[found - 1].parts) :])
    return f"did you mean {str(rest if rest.exists() else near)!r}?"


def leads_out(name: str) -> bool:
    """Whether a name from a file is absolute, leads out of its folder, or is not a file name on every system."""
    try:
        if len(os.fsencode(name)) > LONGEST:
            return True
    except UnicodeEncodeError:  # a single surrogate, which JSON can contain but a file name cannot
        return True
    parts = [part for part in name.split("/") if part not in ("", ".")]  # a `Path` would take ten times as long
    return name.startswith("/") or ".." in parts or not parts or "\0" in name or "\\" in name


def real(path: Path) -> Path:
    """Return the path with all links resolved. A link to itself is kept, and the path need not exist."""
    return Path(os.path.realpath(path))


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path is inside a folder or is the folder itself, with all links resolved."""
    return real(path).is_relative_to(real(folder))


def those_in(paths: Iterable[Path], folder: Path) -> Iterator[Path]:
    """The paths that are inside a folder (`lies_in`). The links of each parent folder are resolved only once."""
    inside: dict[Path, bool] = {}
    for path in paths:
        if path.parent not in inside:
            inside[path.parent] = lies_in(path.parent, folder)
        if (inside[path.parent] and not path.is_symlink()) or lies_in(path, folder):
            yield path
