"""Reading of regular files. Named pipes, devices and sockets are refused before they are opened."""

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
"""Kinds of paths that are not regular files. Reading from a pipe can wait forever; a device can be endless."""

TEXT_BYTES = 1 << 20
"""Largest size of short texts (class lists, settings). The largest known one, the classes of LVIS, has 30 kB."""

LIST_BYTES = 64 << 20
"""Largest size of a list with one line per image: enough for a million lines."""


def open_regular(path: Path, *, max_bytes: int) -> BufferedReader:
    """Open a regular file for reading in binary mode; links are followed.

    Args:
        path: The file.
        max_bytes: Largest accepted size.

    Raises:
        OSError: The file is missing, not permitted, a link to itself, not a regular file, or larger than the limit. Its
            ``strerror`` says which, in words for the user.
    """
    _check(path, _status(path), max_bytes)
    # If a pipe has replaced the file since the check, opening it without O_NONBLOCK would wait.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check(path, os.fstat(handle), max_bytes)
        return os.fdopen(handle, "rb")
    except OSError:
        os.close(handle)
        raise


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """Read the bytes of a regular file. Raises `OSError` as `open_regular`, also if the file grows meanwhile."""
    with open_regular(path, max_bytes=max_bytes) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise _too_large(path, len(content), max_bytes)
    return content


def read_regular_text(path: Path, *, max_bytes: int) -> str:
    """Read the text of a regular file in UTF-8; a byte order mark is ignored.

    Raises:
        OSError: As `open_regular`.
        UnicodeDecodeError: The text is not UTF-8.
    """
    return read_regular(path, max_bytes=max_bytes).decode("utf-8-sig")


def encoding_of(error: UnicodeDecodeError) -> str:
    """What is known of a text that is not UTF-8, in words for the user."""
    content = error.object
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "not UTF-8 text, but UTF-16"
    line = content.count(b"\n", 0, error.start) + 1
    return f"not UTF-8 text: line {line} has a byte of another encoding, such as Windows-1252"


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
