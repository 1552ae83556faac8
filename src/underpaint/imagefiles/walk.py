"""Lists files below a folder by their endings. While a data set is opened, every folder is listed only once."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from underpaint.core.errors import DataError
from underpaint.core.paths import real
from underpaint.imagefiles.own import MASKS, PAINT, log_skipped, own_folder
from underpaint.imagefiles.slices import ending_of, stem_of


@dataclass(frozen=True)
class Listing:
    """The content of one folder. Names that start with a dot are skipped.

    Args:
        folders: The names of its folders, without links and without folders that underpaint made.
        links: The names of links to folders.
        files: The names of its files by ending (lower case, with the dot; empty for a name without ending). A folder
            that ends in ``.zarr`` is one image and counts as a file.
        own: The folders that underpaint made, with the content of each.
    """

    folders: Sequence[str]
    links: Sequence[str]
    files: Mapping[str, Sequence[str]]
    own: Mapping[str, str]


_kept: ContextVar[dict[Path, Listing] | None] = ContextVar("_kept", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """Within this context every folder is listed only once. Files that are added or removed later are not noticed."""
    token = _kept.set({} if _kept.get() is None else _kept.get())
    try:
        yield
    finally:
        _kept.reset(token)


def listing(folder: Path) -> Listing:
    """List a folder. A folder that does not exist is empty.

    Raises:
        DataError: The folder exists, but cannot be read.
    """
    kept = _kept.get()
    if kept is None:
        return _listed(folder)
    if folder not in kept:
        kept[folder] = _listed(folder)
    return kept[folder]


def _listed(folder: Path) -> Listing:
    _, folders, names = next(os.walk(folder, onerror=_refuse), ("", [], []))
    arrays = [name for name in folders if name.lower().endswith(".zarr")]
    here = [name for name in folders if not name.startswith(".") and name not in arrays]
    own = {name: holds for name in here if (holds := own_folder(folder / name))}
    links = [name for name in here if name not in own and (folder / name).is_symlink()]
    files: dict[str, list[str]] = {}
    for name in (*names, *arrays):
        if not name.startswith("."):
            files.setdefault(ending_of(name), []).append(name)
    return Listing([name for name in here if name not in own and name not in links], links, files, own)


def _refuse(error: OSError) -> None:
    """Raise an error for a folder that cannot be read, except if it does not exist or is not a folder."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise DataError(
            f"the folder cannot be read: {error.strerror or error}",
            where=error.filename,
            fix="change its permissions (chmod u+rx), or move it out of the data set",
        ) from error


def files_below(
    folder: Path, endings: Collection[str], *, into: Collection[str] = frozenset({MASKS})
) -> Iterator[tuple[str, Path]]:
    """Yield files at any depth by their endings: the path below ``folder`` without ending, and the file.

    The files of one folder are in the order of their names, and folders in the order of `folders_below`. Endings are
    compared as text, because making a `Path` of every file takes much longer than the listing.

    Args:
        folder: The folder to search.
        endings: The endings in lower case, with the dot.
        into: As in `folders_below`.
    """
    for below, found in folders_below(folder, into=into):
        for name in sorted(name for ending in endings for name in found.files.get(ending, ())):
            yield below + stem_of(name), Path(folder, below, name)


def folders_below(folder: Path, *, into: Collection[str] = frozenset({MASKS})) -> Iterator[tuple[str, Listing]]:
    """Yield a folder and all folders below it: the path below ``folder`` with '/' at its end, and the listing.

    Linked folders are visited after all others, and no folder is visited twice, so that circles of links end. Folders
    that underpaint made are skipped with a message.

    Args:
        folder: The folder to search. It may itself be one that underpaint made.
        into: The kinds of folders made by underpaint that are searched too, in the words of `own_folder`.
    """
    seen = {place for parent in real(folder).parents if (place := _place(parent))}
    waiting: list[str] = [""]
    linked: list[str] = []
    while waiting or linked:
        below = waiting.pop() if waiting else linked.pop(0)
        place = _place(folder / below)
        if place is None or place in seen:
            continue
        seen.add(place)
        found = listing(folder / below)
        yield below, found
        opened = [name for name, holds in found.own.items() if holds in into]
        for name in found.own.keys() - opened:
            if found.own[name] == PAINT:
                continue  # nobody expects images in this folder
            log_skipped(folder / below / name, found.own[name])
        waiting += [f"{below}{name}/" for name in (*found.folders, *opened)]
        linked += [f"{below}{name}/" for name in sorted(found.links)]


def _place(folder: Path) -> tuple[int, int] | None:
    """Numbers that identify a folder independent of its path; None if it cannot be read."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
