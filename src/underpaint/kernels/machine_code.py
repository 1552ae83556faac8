"""Where the machine code of the kernels is stored between processes.

The index of numba's cache is a pickle. Anyone who can write to it can run code in the processes that read it. So a
folder is used only if this user owns it and nobody else may write to it, or if it lies in the package, beside the code
itself. The name of the folder contains a digest of the sources of all kernels: numba checks only the file of a
function, and not the files of the functions that are inlined into it.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from underpaint.core.cache import cache_folder, own_folder
from underpaint.core.digest import PACKAGE, code_digest

VARIABLE = "NUMBA_CACHE_DIR"
"""The environment variable with which numba lets a user name the folder."""

Function = TypeVar("Function", bound=Callable[..., Any])

_log = logging.getLogger("underpaint")


def compiled(**options: Any) -> Callable[[Function], Function]:
    """`numba.njit` with stored machine code where that is safe and possible; otherwise every process compiles anew.

    Args:
        options: Options of `numba.njit`, without ``cache``.
    """

    def decorate(function: Function) -> Function:
        folder = place()
        with _kept_in(folder):
            made: Function = numba.njit(cache=folder is not None, **options)(function)
        return made

    return decorate


@cache
def place() -> Path | None:
    """The folder for the machine code of this version of the kernels, or None if no folder can be used."""
    for find in (_named, _in_package, _of_user, _temporary):
        folder = find()
        if folder is not None and own_folder(kept := folder / f"kernels-{code_digest('kernels')}"):
            return kept
    _log.warning(
        "there is no folder where the machine code of the kernels can be stored, so every process compiles it anew. "
        "Set %s=FOLDER to a folder of your own to avoid this",
        VARIABLE,
    )
    return None


def _named() -> Path | None:
    """The folder that the user names, unless other users could put machine code there."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    if own_folder(Path(named)):
        return Path(named)
    _log.warning(
        "%s=%s is not used: either it cannot be written, or other users may write to it and could so run code in this "
        "process. Name a folder that only you can write to (chmod 700)",
        VARIABLE,
        named,
    )
    return None


def _in_package() -> Path | None:
    folder = PACKAGE / "kernels" / "__pycache__"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _of_user() -> Path | None:
    return cache_folder("machine-code")


def _temporary() -> Path | None:
    """A private folder for temporary files. Processes that this one starts find it through the environment variable."""
    try:
        folder = Path(tempfile.gettempdir()) / f"underpaint-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
    except OSError:  # there is no folder for temporary files
        return None
    if folder.is_symlink() or not own_folder(folder):
        return None
    _log.warning(
        "neither the package nor the home folder can be written, so the machine code of the kernels is stored in %s. "
        "Set %s=FOLDER to a folder of your own to change this",
        folder,
        VARIABLE,
    )
    os.environ[VARIABLE] = str(folder)
    return folder


@contextmanager
def _kept_in(folder: Path | None) -> Iterator[None]:
    """Set numba's cache folder. Numba reads it when a function is decorated; other packages keep their own folder."""
    settings = vars(numba.config)
    before = settings["CACHE_DIR"]
    settings["CACHE_DIR"] = before if folder is None else str(folder)
    try:
        yield
    finally:
        settings["CACHE_DIR"] = before
