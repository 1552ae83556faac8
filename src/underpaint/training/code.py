"""The source of methods from elsewhere: of this package's own, `code_digest` says what it was."""

from __future__ import annotations

import inspect
import sys
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from underpaint.core.digest import PACKAGE, file_digest, fingerprint

KNOWN = {PACKAGE.name, "pydantic", *sys.stdlib_module_names} - {"__main__"}
"""Packages whose classes a method may derive from without a part in its digest."""


@cache
def source_digest(kind: type) -> str | None:
    """A fingerprint of the source that defines a class and those that it derives from, outside this package.

    Of each it is the module's file, or all files of the package around the module: a method imports its losses from
    there.

    Returns:
        None for a class of this package. One whose source is not to be had (typed at a prompt) has another fingerprint
        in each process: nobody knows what it was before.
    """
    modules = dict.fromkeys(base.__module__ for base in kind.__mro__ if base.__module__.partition(".")[0] not in KNOWN)
    if not modules:
        return None
    try:
        return fingerprint([(name, file_digest(path)) for module in modules for name, path in _sources(module)])
    except (KeyError, TypeError, OSError):
        return uuid.uuid4().hex


def _sources(module: str) -> Iterator[tuple[str, Path]]:
    """The files around a module, each with its path below the module's top package."""
    file = Path(inspect.getfile(sys.modules[module]))
    depth = module.count(".") + (file.name == "__init__.py")
    if not depth:
        yield file.name, file
        return
    top = file.parents[depth - 1]
    for path in sorted(top.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(top.parent).as_posix(), path
