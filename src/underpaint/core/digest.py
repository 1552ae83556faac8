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

    A file that cannot be read counts as such: whoever decodes it later reports it, with the reason.
    """
    return fingerprint([_content(path) for path in paths])


def _content(path: Path) -> str:
    try:
        return file_digest(path) if path.is_file() else "no regular file"
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
