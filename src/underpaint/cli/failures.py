"""Error messages of the command line. Errors of libraries and of the system are explained without a traceback."""

from __future__ import annotations

import errno
import os
import traceback
from pathlib import Path

from underpaint.core.errors import RunError, UnderpaintError

DEBUG = "UNDERPAINT_DEBUG"
"""Environment variable that makes the command show tracebacks."""

MEMORY = "take smaller images or crops, a smaller batch (train.batch) or fewer processes, or free some memory"

FIXES = {
    errno.ENOSPC: "free some space, or choose a folder on another disk",
    errno.EDQUOT: "free some space, or choose a folder on another disk",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "change its permissions (chmod), or choose another path",
    errno.EPERM: "change its permissions (chmod), or choose another path",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or work with fewer processes",
    errno.ENFILE: "raise the system's limit of open files, or work with fewer processes",
    errno.EAGAIN: "raise the limit of processes (ulimit -u), or work with fewer processes",
    errno.ENOMEM: MEMORY,
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), or choose another disk",
    errno.EIO: "check the disk; it could not read or write",
    errno.ENOENT: "check that it was not removed or renamed while the command ran, and run the command again",
    errno.ENOTDIR: "check the path: a part of it is a file",
    errno.ELOOP: "remove the link, which leads back to itself",
    errno.ENAMETOOLONG: "shorten the name",
    errno.EPIPE: "do not close the program that reads the output before the command ends",
}
"""The fix for each error number of the system."""

ALLOCATION = (
    "allocate memory", "out of memory", "failed to allocate", "std::bad_alloc", "cudaerrormemoryallocation",
    "failed to map segment",
)  # fmt: skip
"""Words in messages about missing memory, from torch, compiler libraries and the loader of libraries. These errors have
no type of their own."""

THREADS = ("can't start new thread",)


def explained(error: BaseException) -> UnderpaintError:
    """Convert any exception into an error with an explanation and a fix."""
    if isinstance(error, UnderpaintError):
        return error
    if isinstance(error, OSError):
        return _of_system(error)
    said = str(error).lower()
    for number, fix in FIXES.items():  # some libraries put the system's message into errors of their own
        if os.strerror(number).lower() in said:
            return RunError(os.strerror(number), fix=fix)
    if isinstance(error, MemoryError) or any(words in said for words in ALLOCATION):
        return RunError("memory ran out", fix=MEMORY)
    if isinstance(error, RuntimeError) and any(words in said for words in THREADS):
        return RunError("the system cannot start another process or thread", fix=FIXES[errno.EAGAIN])
    if isinstance(error, RecursionError):
        return RunError(
            "a file is nested too deeply to be read", fix="check the given files: valid ones are not nested deeply"
        )
    if isinstance(error, UnicodeError):
        return _of_text(error)
    return RunError(
        f"this is a bug in underpaint: {type(error).__name__}",
        where=_place(error),
        fix=f"please report it with the traceback that {DEBUG}=1 shows; finished work is kept",
    )


def _of_system(error: OSError) -> UnderpaintError:
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    fix = FIXES.get(error.errno or 0, "check the path, its permissions and the disk, then run the command again")
    return RunError(error.strerror or "the system reported an error", where=" -> ".join(names) or None, fix=fix)


def _of_text(error: UnicodeError) -> UnderpaintError:
    text = error.object if isinstance(error, UnicodeEncodeError | UnicodeDecodeError) else ""
    shown = repr(text[:80]) if isinstance(text, str) else "bytes of a name or file"
    return RunError(
        f"text that is not UTF-8: {shown}",
        fix="rename files and classes to names in UTF-8, and set the locale to UTF-8 (LC_ALL=C.UTF-8)",
    )


def _place(error: BaseException) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{os.sep}underpaint{os.sep}" in frame.filename]
    return f"{Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else None
