"""A fingerprint of the source code of methods from other packages; `code_digest` is that of our own code."""

from __future__ import annotations

import inspect
import sys
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from underpaint.core.digest import PACKAGE, file_digest, fingerprint

KNOWN = {PACKAGE.name, "pydantic", *sys.stdlib_module_names} - {"__main__"}
"""Packages whose source is not part of the fingerprint, although a method derives from their classes."""


@cache
def source_digest(kind: type) -> str | None:
    """A fingerprint of the source of a class and of its base classes outside this package.

    For each class it includes the file of the module, or all files of the package that contains the module, because a
    method imports its losses from there.

    Returns:
        None for a class of this package. A class without a source file (typed at a prompt) gets a new fingerprint in
        each process, because its source cannot be compared with an earlier one.
    """
    modules = dict.fromkeys(base.__module__ for base in kind.__mro__ if base.__module__.partition(".")[0] not in KNOWN)
    if not modules:
        return None
    try:
        return fingerprint([(name, file_digest(path)) for module in modules for name, path in _sources(module)])
    except (KeyError, TypeError, OSError):
        return uuid.uuid4().hex


def _sources(module: str) -> Iterator[tuple[str, Path]]:
    """The files of the top package of a module, each with its path."""
    file = Path(inspect.getfile(sys.modules[module]))
    depth = module.count(".") + (file.name == "__init__.py")
    if not depth:
        yield file.name, file
        return
    top = file.parents[depth - 1]
    for path in sorted(top.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(top.parent).as_posix(), path
