"""The source of methods from elsewhere: of this package's own, `code_digest` says what it was."""

from __future__ import annotations

import inspect
import uuid
from functools import cache
from pathlib import Path

import underpaint
from underpaint.core.digest import file_digest, fingerprint


@cache
def source_digest(kind: type) -> str | None:
    """A fingerprint of the source that defines a class: its module's file, or all files of the package around this.

    Returns:
        None for a class of this package. One whose source is not to be had (typed at a prompt) has another fingerprint
        in each process: nobody knows what it was before.
    """
    if kind.__module__.partition(".")[0] == underpaint.__name__:
        return None
    try:
        file = Path(inspect.getfile(kind))
        depth = kind.__module__.count(".") + (file.name == "__init__.py")
        files = sorted(file.parents[depth - 1].rglob("*.py")) if depth else [file]
        return fingerprint([(path.name, file_digest(path)) for path in files])
    except (TypeError, OSError):
        return uuid.uuid4().hex
