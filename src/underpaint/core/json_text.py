"""JSON from outside: bounded size and depth, no NaN, no repeated keys, one typed error."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from underpaint.core.errors import FormatError
from underpaint.core.regular import read_regular_text

MAX_BYTES = 256 << 20
"""Limit of a whole file. The largest known click file (VOC, 12,180 images) has 4 MB; 256 MiB parse within 3 GB."""

IMAGE_BYTES = 64 << 20
"""Limit of a file of one image: four million points, or some shapes beside a copy of the photograph of 48 MB."""


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


def members(text: str, streamed: str, where: object) -> Iterator[tuple[str, Any]]:
    """The members of a JSON object one by one; of the list under the key ``streamed`` one by one its items.

    A list of a million items then takes the memory of its text and of one item.

    Raises:
        FormatError: as `parse_json`, when the faulty place is reached.
    """
    decoder = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique)
    try:
        place = _after(text, 0, "{")
        seen: set[str] = set()
        while text[place : place + 1] != "}":
            key, place = decoder.raw_decode(text, place)
            if not isinstance(key, str) or key in seen:
                raise ValueError(f"{key!r} is no key, or is given twice")
            seen.add(key)
            place = _after(text, place, ":")
            if key == streamed and text[place : place + 1] == "[":
                place = _after(text, place, "[")
                while text[place : place + 1] != "]":
                    item, place = decoder.raw_decode(text, place)
                    yield key, item
                    place = _next(text, place, "]")
                place += 1
            else:
                value, place = decoder.raw_decode(text, place)
                yield key, value
            place = _next(text, _blank(text, place), "}")
        if _blank(text, place + 1) != len(text):
            raise ValueError(f"text after the end, at character {place + 1}")
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not valid JSON: {error}", where=where) from None


_BLANK = re.compile(r"[ \t\n\r]*")


def _blank(text: str, place: int) -> int:
    """The next place that is no blank."""
    match = _BLANK.match(text, place)
    return match.end() if match else place


def _after(text: str, place: int, mark: str) -> int:
    """The place after ``mark``, which must come next, and the blanks around it."""
    place = _blank(text, place)
    if text[place : place + 1] != mark:
        raise ValueError(f"{mark!r} expected at character {place}")
    return _blank(text, place + 1)


def _next(text: str, place: int, end: str) -> int:
    """The place of the next item, or of ``end``."""
    place = _blank(text, place)
    if text[place : place + 1] == end:
        return place
    following = _after(text, place, ",")
    if text[following : following + 1] == end:
        raise ValueError(f"a comma before {end!r} at character {following}")
    return following


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for reference cycles meanwhile: millions of new objects, none of them garbage, double the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def read_json(path: Path, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read a JSON file (UTF-8, a byte order mark is passed over). Raises `FormatError` as `parse_json`, `read_text`."""
    return parse_json(read_text(path, max_bytes=max_bytes), path)


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """Read an annotation file as UTF-8 text. Raises `FormatError`: missing, larger than the limit, or not UTF-8."""
    try:
        return read_regular_text(path, max_bytes=max_bytes)
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
