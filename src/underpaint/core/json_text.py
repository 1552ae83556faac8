"""Parsing of JSON files that are not trusted: limited size and depth, no NaN, no repeated keys, one typed error."""

from __future__ import annotations

import gc
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from underpaint.core.errors import FormatError
from underpaint.core.regular import encoding_of, read_regular_text

MAX_BYTES = 256 << 20
"""Largest size of a file, which needs up to 3 GB of memory. The largest known click file (VOC) has 4 MB."""

IMAGE_BYTES = 64 << 20
"""Largest size of a file for one image: four million points, or a copy of an image of 48 MB and some shapes."""


def parse_json(text: str, where: object) -> Any:
    """Parse JSON text.

    Raises:
        FormatError: The text is not JSON, contains NaN, infinity or a repeated key, or is nested too deeply (more
            than about 1000 levels, where known formats need 6).
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _refusal(error, where) from None


WORDS = {
    "Expecting value": "a value is missing",
    "Expecting property name enclosed in double quotes": "a name between double quotes is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting ',' delimiter": "a comma is missing",
    "Unterminated string starting at": "a text is not closed by a double quote",
    "Invalid control character at": "a line break or a tab within a text",
    "Illegal trailing comma before end of object": "a comma before the closing bracket",
    "Illegal trailing comma before end of array": "a comma before the closing bracket",
    "Extra data": "text after the end",
}
"""What is wrong, by the message of Python's parser."""


def _refusal(error: ValueError | RecursionError, where: object) -> FormatError:
    """The error of a text that is not JSON, in words for the user."""
    if isinstance(error, RecursionError):
        return FormatError("not valid JSON: it is nested too deeply", where=where)
    if str(error).startswith("Exceeds the limit"):
        limit = sys.get_int_max_str_digits()
        return FormatError(f"not valid JSON: a number has more than {limit} digits", where=where)
    if not isinstance(error, json.JSONDecodeError):
        return FormatError(f"not valid JSON: {error}", where=where)  # one of the refusals of this module
    if not error.doc.strip():
        return FormatError("the file is empty", where=where)
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
        return FormatError("not valid JSON: it ends too early; the file is perhaps cut off", where=where)
    what = WORDS.get(error.msg, "this does not follow the rules of JSON")
    return FormatError(f"not valid JSON: line {error.lineno}, column {error.colno}: {what}", where=where)


def members(text: str, streamed: str, where: object) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of a JSON object one by one; the list at ``streamed`` is yielded item by item.

    A list of a million items thus needs only the memory of its text and of one item.

    Raises:
        FormatError: As `parse_json`, when the parser reaches the error.
    """
    decoder = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique)
    try:
        place = _after(text, 0, "{")
        seen: set[str] = set()
        while text[place : place + 1] != "}":
            key, place = decoder.raw_decode(text, place)
            if not isinstance(key, str) or key in seen:
                raise ValueError(f"{key!r} is not a key, or is given twice")
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
        raise _refusal(error, where) from None


_BLANK = re.compile(r"[ \t\n\r]*")


def _blank(text: str, place: int) -> int:
    """Return the position of the next character that is not white space."""
    match = _BLANK.match(text, place)
    return match.end() if match else place


def _after(text: str, place: int, mark: str) -> int:
    """Return the position after ``mark``, which must come next, and after the white space around it."""
    place = _blank(text, place)
    if text[place : place + 1] != mark:
        raise ValueError(f"{mark!r} expected at character {place}")
    return _blank(text, place + 1)


def _next(text: str, place: int, end: str) -> int:
    """Return the position of the next item, or of ``end``."""
    place = _blank(text, place)
    if text[place : place + 1] == end:
        return place
    following = _after(text, place, ",")
    if text[following : following + 1] == end:
        raise ValueError(f"a comma before {end!r} at character {following}")
    return following


@contextmanager
def collector_paused() -> Iterator[None]:
    """Switch off the garbage collector, which would double the time to make millions of objects that are all used."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def read_json(path: Path, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read a JSON file in UTF-8; a byte order mark is ignored. Raises `FormatError` as `parse_json` and `read_text`."""
    return parse_json(read_text(path, max_bytes=max_bytes), path)


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """Read a file as UTF-8 text. Raises `FormatError` if it cannot be read, is larger than the limit or not UTF-8."""
    try:
        return read_regular_text(path, max_bytes=max_bytes)
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror or error}", where=path) from None
    except UnicodeDecodeError as error:
        raise FormatError(f"the file is {encoding_of(error)}", where=path, fix="save it as UTF-8") from None


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    merged = dict(pairs)
    if len(merged) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return merged
