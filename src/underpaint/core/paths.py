"""Paths that a person gives, as text or as `Path`, checked before any work."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from underpaint.core.errors import ConfigError, DataError

AnyPath = str | os.PathLike[str]
"""A path as a caller may give it."""

SomePaths = AnyPath | Sequence[AnyPath]
"""One path or several."""

MOST = 10_000
"""Names of a folder among which the nearest is looked for: comparing takes about a second for so many."""

CUTOFF = 0.6
"""Least likeness of two names, from 0 to 1, at which one is offered for the other."""


def as_path(value: AnyPath, argument: str) -> Path:
    """A path of a call. Raises `ConfigError`, naming the argument, where the value is no path."""
    if isinstance(value, str | os.PathLike) and isinstance(text := os.fspath(value), str):
        return Path(text)
    shown = type(value).__name__
    raise ConfigError(f"{argument} is a {shown}", where=argument, accepted="a path, as text or as pathlib.Path")


def as_paths(value: SomePaths, argument: str) -> tuple[Path, ...]:
    """One path or several, in their order. Raises `ConfigError` as `as_path`."""
    if isinstance(value, list | tuple):
        return tuple(as_path(each, argument) for each in value)
    return (as_path(value, argument),)  # type: ignore[arg-type]  # a sequence of another type is refused there


def existing(path: Path, what: str) -> Path:
    """The path itself, if something is there.

    Args:
        path: A file or folder.
        what: What it should be, as the message begins with it: "the run folder".

    Raises:
        DataError: nothing is there, or it cannot be reached.
    """
    try:
        there = path.exists()
    except OSError as error:  # a folder that may not be searched, or a name that no disk can hold
        raise DataError(f"{what} cannot be reached: {error.strerror}", where=path, fix="correct the path") from None
    if not there:
        raise DataError(f"{what} is missing", where=path, fix=nearest_path(path))
    return path


def nearest_path(path: Path) -> str:
    """What to do about a path at which nothing is: the existing path that is spelled most like it, in a sentence."""
    missing = [path, *path.parents]
    try:
        there = next((place for place, part in enumerate(missing) if part.is_dir()), None)
        if there in (None, 0):
            return "correct the path"
        folder, name = missing[there], missing[there - 1].name
        here = [entry.name for entry in islice(os.scandir(folder), MOST) if not entry.name.startswith(".")]
    except (OSError, ValueError):  # ValueError: a zero byte in the path
        return "correct the path"
    close = difflib.get_close_matches(name, here, n=1, cutoff=CUTOFF)
    if not close:
        return f"correct the path; {folder} is there, and nothing in it is spelled like {name!r}"
    near = folder / close[0]
    rest = near.joinpath(*path.parts[len(missing[there - 1].parts) :])
    return f"did you mean {str(rest if rest.exists() else near)!r}?"
