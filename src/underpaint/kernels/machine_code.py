"""Where the machine code of the kernels is kept between processes.

numba's index of a cache is a pickle, and whoever can write one runs code in the processes that read it. So a folder is
used only if this user owns it and no one else may write to it, or if it lies in the package, beside the code itself.
The folder is named by a digest of the kernels' sources: numba looks at the file of a function alone, and not at the
functions of other files that are inlined into it.
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
"""numba's environment variable for the folder."""

Function = TypeVar("Function", bound=Callable[..., Any])

_log = logging.getLogger("underpaint")


def compiled(**options: Any) -> Callable[[Function], Function]:
    """`numba.njit` whose machine code is kept where that is safe and possible, and else made anew in every process.

    Args:
        options: Of `numba.njit`, without ``cache``.
    """

    def decorate(function: Function) -> Function:
        folder = place()
        with _kept_in(folder):
            made: Function = numba.njit(cache=folder is not None, **options)(function)
        return made

    return decorate


@cache
def place() -> Path | None:
    """The folder for the machine code of this version of the kernels; None where there is none."""
    for find in (_named, _in_package, _of_user, _temporary):
        folder = find()
        if folder is not None and own_folder(kept := folder / f"kernels-{code_digest('kernels')}"):
            return kept
    _log.warning(
        "no folder can be written for the machine code of the kernels: every process compiles anew. "
        "%s=FOLDER names a folder of your own for it",
        VARIABLE,
    )
    return None


def _named() -> Path | None:
    """The folder that the user names, unless others could plant machine code there."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    if own_folder(Path(named)):
        return Path(named)
    _log.warning(
        "%s=%s is not used: it cannot be written, or others may write to it, and could run code in this process. "
        "Name a folder that is yours alone (chmod 700)",
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
    """A private folder among the temporary ones; processes that this one starts find it by the variable."""
    try:
        folder = Path(tempfile.gettempdir()) / f"underpaint-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
    except OSError:  # there is no place for temporary files
        return None
    if folder.is_symlink() or not own_folder(folder):
        return None
    _log.warning(
        "neither the package nor the home folder can be written: the machine code of the kernels is kept in %s. "
        "%s=FOLDER names a folder of your own for it",
        folder,
        VARIABLE,
    )
    os.environ[VARIABLE] = str(folder)
    return folder


@contextmanager
def _kept_in(folder: Path | None) -> Iterator[None]:
    """Numba looks up the folder when a function is decorated; for the functions of others it stays as it was."""
    settings = vars(numba.config)
    before = settings["CACHE_DIR"]
    settings["CACHE_DIR"] = before if folder is None else str(folder)
    try:
        yield
    finally:
        settings["CACHE_DIR"] = before
