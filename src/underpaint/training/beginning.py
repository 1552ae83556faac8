"""Whether a folder can be that of a run, found out before data are read and torch is imported."""

from __future__ import annotations

from pathlib import Path

from underpaint.core import lock
from underpaint.core.atomic import LEFTOVER
from underpaint.core.errors import RunError


def unbegun(folder: Path) -> bool:
    """Whether a folder is empty, or holds only what a run writes before its settings."""
    held = {path.name for path in folder.iterdir() if not LEFTOVER.fullmatch(path.name)}
    return held <= {"about.json", "classes.json", lock.NAME}


def require_unbegun(folder: Path) -> None:
    """Raise `RunError` where a folder holds anything but the start of a run."""
    if not unbegun(folder):
        fix = "choose another folder, or go on with --resume"
        raise RunError("the run folder is not empty", where=folder, fix=fix)


def require_place(out: Path, *, resume: bool) -> None:
    """Refuse the folder of a run that could not start or go on there; nothing is made.

    Raises:
        RunError: there is nothing to resume, or the folder holds other things or cannot be read.
    """
    if resume and not out.is_dir():
        raise RunError("there is nothing to resume", where=out, fix="leave --resume out to start a new run")
    try:
        if out.is_dir() and not resume:
            require_unbegun(out)
    except OSError as error:
        raise RunError(
            f"the run folder cannot be used: {error.strerror or error}", where=out, fix="choose another folder"
        ) from error
