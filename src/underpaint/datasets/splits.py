"""Reads split lists, which name one image per line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from underpaint.core.errors import DataError
from underpaint.core.regular import LIST_BYTES, encoding_of, read_regular_text
from underpaint.imagefiles.naming import Names
from underpaint.imagefiles.spelling import LONGEST_NAME, without_ending


def read_splits(paths: Iterable[Path], images: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """Read split lists. Each line names one image; empty lines are skipped, and repeated names are kept once.

    A line is a name, or a path that ends with one (`Names.lines`). If a line has several files (DeepLab's lists have an
    image and a mask), the first one is used. A name without an image is kept, so that `DataFolder.split` reports it.

    Raises:
        DataError: A list is not a regular file, too large, or not UTF-8 text.
    """
    lists = {path.stem: _lines(path) for path in paths}
    names = Names(images)
    named = names.lines(line for lines in lists.values() for line in lines)
    other = (line for lines in lists.values() for line in lines if line not in named)
    firsts = {line: first for line in other if (first := _first(line))}
    columns = names.lines([*named, *firsts.values()])
    named |= {line: columns.get(first, line) for line, first in firsts.items()}
    return {split: tuple(dict.fromkeys(named.get(line, line) for line in lines)) for split, lines in lists.items()}


def _lines(path: Path) -> list[str]:
    try:
        text = read_regular_text(path, max_bytes=LIST_BYTES)
    except OSError as error:
        raise DataError(f"the split list cannot be read: {error.strerror or error}", where=path) from None
    except UnicodeDecodeError as error:
        raise DataError(f"the split list is {encoding_of(error)}", where=path, fix="save it as UTF-8") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _first(line: str) -> str | None:
    """The first of several files in a line; None if the line is one name, perhaps with spaces (``cat 2.png``)."""
    files = re.split(r"[\s,;]+", line) if len(line) <= 2 * LONGEST_NAME else []
    return files[0] if len(files) > 1 and all(without_ending(file)[1] for file in files) else None
