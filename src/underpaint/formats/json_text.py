"""JSON from outside: bounded size and depth, no NaN, no repeated keys, one typed error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from underpaint.core.errors import FormatError

MAX_BYTES = 256 << 20
"""Limit of a whole file. The largest known click file (VOC, 12,180 images) has 4 MB; 256 MiB parse within 3 GB."""


def parse_json(text: str, where: object) -> Any:
    """Parse JSON text.

    Raises:
        FormatError: not JSON, NaN or infinity, a key given twice, or brackets nested deeper than the
            interpreter follows (1000, where known formats need 6).
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not valid JSON: {error}", where=where) from None


def read_json(path: Path) -> Any:
    """Read a JSON file (UTF-8, a byte order mark is passed over). Raises `FormatError` as `parse_json`."""
    return parse_json(read_text(path), path)


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """Read an annotation file as UTF-8 text. Raises `FormatError`: missing, larger than the limit, or not UTF-8."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise FormatError(f"the file has {size} bytes", where=path, accepted=f"at most {max_bytes} bytes")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror or error}", where=path) from None
    except UnicodeDecodeError as error:
        raise FormatError(f"the file is not UTF-8 text: {error}", where=path) from None


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    merged = dict(pairs)
    if len(merged) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return merged
