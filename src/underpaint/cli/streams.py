"""Standard output and standard error that any name can be printed to, and that may be full."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast


class _Patient:
    """Standard error of a full disk: what cannot be said is left unsaid, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Nothing waits to be written."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare_streams() -> None:
    """Characters that a terminal's encoding lacks, and bytes of names that are no text, are printed as escapes."""
    sys.stdout, sys.stderr = _open(sys.stdout), _open(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = cast(TextIO, _Patient(sys.stderr))


def _open(stream: TextIO | None) -> TextIO:
    """The stream, or nothing where the caller closed it."""
    return stream if stream is not None else Path(os.devnull).open("w", encoding="utf-8")


def flush_output() -> None:
    """Write out what was printed; whatever cannot be written then is not tried again when Python ends.

    Raises:
        OSError: the disk or the reader refuses.
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
