"""Files at paths and at addresses such as ``s3://bucket/name``. Addresses are read by fsspec and packages for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from underpaint.core.errors import DataError
from underpaint.core.paths import existing
from underpaint.imagefiles.slices import stem_of

MAGIC = re.compile(r"[*?\[]")
"""Characters that make a path a pattern."""


def is_remote(address: str) -> bool:
    """Whether a text is an address with a protocol, not a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", address) is not None


def stated_name(address: str) -> str:
    """The name of an image from its path or address, without protocol, first slash and ending."""
    path = address.partition("://")[2] if is_remote(address) else address
    path = path.lstrip("/")
    folder, _, file = path.rpartition("/")
    return f"{folder}/{stem_of(file)}" if folder else stem_of(file)


def file_system(address: str) -> tuple[Any, str]:
    """The file system of fsspec for an address, and the path on it.

    Raises:
        DataError: The protocol is unknown, or its package is not installed or does not work.
    """
    import fsspec
    from fsspec.registry import known_implementations

    protocol = address.partition("://")[0] if is_remote(address) else "file"
    try:
        return fsspec.core.url_to_fs(address)  # type: ignore[no-any-return]
    except ImportError as error:
        told = known_implementations.get(protocol, {}).get("err", str(error))
        raise DataError(f"the package for {protocol}:// is not installed", where=address, fix=told) from None
    except Exception as error:  # back ends raise anything
        raise DataError(
            f"the address cannot be used: {error}",
            where=address,
            accepted="a path, or an address of fsspec such as s3://bucket/folder",
        ) from None


@contextmanager
def opened(address: str) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes at any position.

    Raises:
        DataError: The file does not exist or cannot be read; or the same as in `file_system`.
    """
    try:
        if is_remote(address):
            files, path = file_system(address)
            with files.open(path, "rb") as file:
                yield file
        else:
            with Path(address).open("rb") as file:
                yield file
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}", where=address) from None


def files_at(address: str) -> Iterator[str]:
    """Yield every file in a folder at any depth, or every file that matches a pattern, in a fixed order.

    A pattern can have ``*``, ``?``, ``[...]`` and ``**``. Only one folder at a time is in memory. Names that start with
    a dot are ignored, and links to folders are not followed.

    Raises:
        DataError: The folder does not exist; or the same as in `file_system`.
    """
    base = _base(address)
    pattern = _compiled(address) if base != address else None
    files = _remote_files(base) if is_remote(base) else _local_files(existing(Path(base or "."), "the folder"))
    return (one for one in files if pattern is None or pattern.fullmatch(one))


def _base(address: str) -> str:
    """The folder above the first part of an address that is a pattern; otherwise the address itself."""
    found = MAGIC.search(address)
    if found is None:
        return address
    return address[: found.start()].rpartition("/")[0] or ("/" if address.startswith("/") else "")


def _compiled(address: str) -> re.Pattern[str]:
    """The regular expression of a shell pattern."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", address)
    kept = [parts.get(t) or (t.replace("[!", "[^") if re.fullmatch(r"\[[^\]]+\]", t) else re.escape(t)) for t in tokens]
    return re.compile("".join(kept), re.DOTALL)


def _local_files(folder: Path) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(here, name) for name in sorted(names) if not name.startswith("."))  # noqa: PTH118


def _remote_files(address: str) -> Iterator[str]:
    files, path = file_system(address)

    def below(folder: str) -> Iterator[str]:
        for one in sorted(files.ls(folder, detail=True), key=lambda one: str(one["name"])):
            if PurePosixPath(one["name"]).name.startswith("."):
                continue
            if one["type"] == "directory":
                yield from below(one["name"])
            else:
                yield f"{address.rstrip('/')}/{str(one['name'])[len(path) :].lstrip('/')}"

    try:
        yield from below(path)
    except (OSError, ValueError) as error:
        raise DataError(f"the folder cannot be listed: {error}", where=address, fix="correct the address") from None
