"""Reading from files that must be regular ones: named pipes, devices and sockets are refused before they are opened."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
"""What a path may lead to besides a regular file. A pipe may be waited for without end; a device may have none."""

TEXT_BYTES = 1 << 20
"""Limit of short texts (class lists, settings): the longest known, of LVIS with 1,203 classes, has 30 kB."""

LIST_BYTES = 64 << 20
"""Limit of a list with a line for each image: more than a million lines."""


def open_regular(path: Path, *, max_bytes: int) -> BufferedReader:
    """Open a regular file for reading in binary; links are followed.

    Args:
        path: The file.
        max_bytes: Limit of its size.

    Raises:
        OSError: missing, not permitted, a link to itself, no regular file, or larger than the limit. Its ``strerror``
            says which, in words for a person.
    """
    _check(path, _status(path), max_bytes)
    # Without O_NONBLOCK a pipe that takes the file's place in this moment would be waited for.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check(path, os.fstat(handle), max_bytes)
        return os.fdopen(handle, "rb")
    except OSError:
        os.close(handle)
        raise


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """The bytes of a regular file. Raises `OSError` as `open_regular`, also for a file that grows while it is read."""
    with open_regular(path, max_bytes=max_bytes) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise _too_large(path, len(content), max_bytes)
    return content


def read_regular_text(path: Path, *, max_bytes: int) -> str:
    """The text of a regular file in UTF-8; a byte order mark is passed over.

    Raises:
        OSError: as `open_regular`.
        UnicodeDecodeError: not UTF-8.
    """
    return read_regular(path, max_bytes=max_bytes).decode("utf-8-sig")


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link that leads back to itself", str(path)) from None
        raise


def _check(path: Path, status: os.stat_result, max_bytes: int) -> None:
    kind = KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is not None:
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
    if status.st_size > max_bytes:
        raise _too_large(path, status.st_size, max_bytes)


def _too_large(path: Path, size: int, max_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"it has {size} bytes, and such a file may have at most {max_bytes}", str(path))
