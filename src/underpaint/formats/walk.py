"""Files below a folder by their endings. The opening of a data set asks for many, and lists every folder once."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Listing:
    """What one folder holds; names that start with a dot are passed over.

    Args:
        folders: Names of its folders, but for links to folders.
        files: Names of its files by their ending (lower case, with the dot; empty where a name has none).
    """

    folders: Sequence[str]
    files: Mapping[str, Sequence[str]]


_kept: ContextVar[dict[Path, Listing] | None] = ContextVar("_kept", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """Within it every folder is listed once, so that files which come or go meanwhile are not seen."""
    token = _kept.set({} if _kept.get() is None else _kept.get())
    try:
        yield
    finally:
        _kept.reset(token)


def listing(folder: Path) -> Listing:
    """List a folder; one that cannot be read is empty."""
    kept = _kept.get()
    if kept is None:
        return _listed(folder)
    if folder not in kept:
        kept[folder] = _listed(folder)
    return kept[folder]


def _listed(folder: Path) -> Listing:
    _, folders, names = next(os.walk(folder), ("", [], []))
    here = [name for name in folders if not name.startswith(".") and not (folder / name).is_symlink()]
    files: dict[str, list[str]] = {}
    for name in names:
        if not name.startswith("."):
            _, dot, ending = name.rpartition(".")
            files.setdefault(dot and f".{ending.lower()}", []).append(name)
    return Listing(here, files)


def files_below(folder: Path, endings: Collection[str]) -> Iterator[tuple[str, Path]]:
    """Files in any depth by their endings: the path below ``folder`` without ending, '/' between folders, and the file.

    Those of one folder are in the order of names. Endings are compared as text, since a `Path` of every file costs far
    more than the listing.
    """
    waiting = [""]
    while waiting:
        below = waiting.pop()
        found = listing(folder / below)
        for name in sorted(name for ending in endings for name in found.files.get(ending, ())):
            yield below + name.rpartition(".")[0], Path(folder, below, name)
        waiting += [f"{below}{name}/" for name in found.folders]
