"""Standard output and standard error that can print any name, and that tolerate a full disk."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast


class _Tolerant:
    """Standard error that ignores a full disk: the message is lost, but the work continues."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text if the disk allows it."""
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Do nothing: `write` does not buffer."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare_streams() -> None:
    """Make both streams print escapes for characters outside their encoding and for names that are not text."""
    sys.stdout, sys.stderr = _open(sys.stdout), _open(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = cast(TextIO, _Tolerant(sys.stderr))


def _open(stream: TextIO | None) -> TextIO:
    """The stream, or the null device if the caller closed it."""
    return stream if stream is not None else Path(os.devnull).open("w", encoding="utf-8")


def flush_output() -> None:
    """Flush standard output. If this fails, Python does not try again at its end.

    Raises:
        OSError: The disk or the reader of the output refuses it.
    """
    try:
        sys.stdout.flush()
    except OSError:
        _silence(sys.stdout)
        raise


def _silence(stream: TextIO) -> None:
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
