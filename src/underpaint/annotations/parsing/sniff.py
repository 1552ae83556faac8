"""Recognises an annotation file by a few bytes of its content. Nothing is parsed."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable
from pathlib import Path

from underpaint.core.errors import FormatError
from underpaint.core.json_text import MAX_BYTES
from underpaint.core.regular import open_regular
from underpaint.imagefiles.images import find_files

LARGEST = 1 << 62
"""A limit in bytes that no file reaches, because the beginning of a file of any size may be read."""

HEAD = 4096
"""Number of bytes at the start of a text file that are examined first."""


def is_json(path: Path, opening: str, *keys: str) -> bool:
    """Whether a file looks like JSON that starts with ``opening`` ('{' or '[') and has all these keys at any depth."""
    if not path.is_file() or not _head(path).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(opening.encode()):
        return False
    return holds(path, *(rf'"{re.escape(key)}"\s*:' for key in keys))


def is_xml(path: Path, root: str, *children: str) -> bool:
    """Whether a file looks like XML whose outermost element is ``root`` and which holds all these elements."""
    if not path.is_file() or re.search(rb"<" + root.encode() + rb"[\s/>]", _head(path)) is None:
        return False
    return holds(path, *(rf"<{re.escape(child)}[\s/>]" for child in children))


def holds(path: Path, *patterns: str) -> bool:
    """Whether all regular expressions occur in a file of at most `MAX_BYTES` bytes.

    Raises:
        FormatError: the file cannot be read.
    """
    try:
        with open_regular(path, max_bytes=LARGEST) as file:
            size = path.stat().st_size
            if not 0 < size <= MAX_BYTES:
                return size == 0 and not patterns
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return all(re.search(pattern.encode(), content) for pattern in patterns)
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror or error}", where=path) from None


def first_line(path: Path) -> str:
    """The first line of a text file, or its first `HEAD` bytes if the line is longer."""
    return next(iter(_head(path).decode("utf-8-sig", "replace").splitlines()), "")


def _head(path: Path) -> bytes:
    try:
        with open_regular(path, max_bytes=LARGEST) as file:
            return file.read(HEAD)
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror or error}", where=path) from None


def files_of(path: Path, suffixes: Iterable[str]) -> list[Path]:
    """The file itself, or all files below a folder, that have one of the endings, in the order of their names."""
    endings = frozenset(suffixes)
    if path.is_dir():
        return list(find_files(path, endings).values())
    return [path] if path.suffix.lower() in endings and path.is_file() else []
