"""Digests by which stored results are named: of settings, of the content of files, and of the code of this package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent


def fingerprint(*parts: Any) -> str:
    """Return 16 hexadecimal digits that depend only on the JSON form of ``parts``."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_digest(paths: Iterable[Path]) -> str:
    """Return a fingerprint of the contents of files, in their order.

    A path below a file stands for a part of it (a slice of a stack); the file is then read only once. A Zarr folder
    stands for all its files. An unreadable file is not an error here: the code that decodes it reports the reason.
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


READING_PACKAGES = ("core", "imagefiles", "hints", "annotations", "datasets")
"""The sub-packages that read the files of a data set."""


@cache
def code_digest(*parts: str) -> str:
    """Return a fingerprint of the source code and other files in parts of this package (sub-packages or files).

    The version is not enough to name the code of a result, because it does not change between two releases.

    Raises:
        FileNotFoundError: There is no such sub-package or file, so that a change of its code would not be noticed.
    """
    return fingerprint([(path.relative_to(PACKAGE).as_posix(), file_digest(path)) for path in _sources(parts)])


def _sources(parts: Iterable[str]) -> list[Path]:
    named = [PACKAGE / part for part in parts]
    for place in named:
        if not place.exists():
            raise FileNotFoundError(f"the package has no part {place.name!r}")
    found = [path for place in named for path in (sorted(place.rglob("*")) if place.is_dir() else [place])]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]
