"""What a kept result is named by: digests of settings, of files by their content, and of the package's own code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent


def fingerprint(*parts: Any) -> str:
    """16 hexadecimal digits that depend on the JSON form of ``parts`` and on nothing else."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_digest(paths: Iterable[Path]) -> str:
    """A fingerprint of the contents of files, in their order.

    A path below a file stands for a part of it (a slice of a stack), whose file is read once; a folder for the files in
    it (a Zarr array). A file that cannot be read counts as such: whoever decodes it later reports it, with the reason.
    """
    known: dict[Path, str] = {}
    return fingerprint([_content(path, known) for path in paths])


def _content(path: Path, known: dict[Path, str]) -> str:
    try:
        if path.is_file():
            return file_digest(path)
        if path.is_dir() and path.suffix.lower() == ".zarr":
            inside = sorted(part for part in path.rglob("*") if part.is_file())
            return fingerprint([(part.relative_to(path).as_posix(), file_digest(part)) for part in inside])
        whole = path.parent
        if not whole.exists() or (whole.is_dir() and whole.suffix.lower() != ".zarr"):
            return "no regular file"
        if whole not in known:
            known[whole] = _content(whole, known)
        return f"{known[whole]}/{path.name}"
    except OSError:
        return "unreadable"


READING_ROOMS = ("core", "imagefiles", "hints", "annotations", "datasets")
"""The code that decides what the files of a data set say."""


@cache
def code_digest(*rooms: str) -> str:
    """A fingerprint of the package's source and bundled files in these rooms (sub-packages) or files.

    What was made by other code is not the same result, whatever the version says: between two releases it stands still.

    Raises:
        FileNotFoundError: the package has no such room or file, so that a change of its code would go unseen.
    """
    return fingerprint([(path.relative_to(PACKAGE).as_posix(), file_digest(path)) for path in _sources(rooms)])


def _sources(rooms: Iterable[str]) -> list[Path]:
    named = [PACKAGE / room for room in rooms]
    for place in named:
        if not place.exists():
            raise FileNotFoundError(f"the package has no room {place.name!r}")
    found = [path for place in named for path in (sorted(place.rglob("*")) if place.is_dir() else [place])]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]
