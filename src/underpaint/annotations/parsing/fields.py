"""Typed reading of a JSON object that is not trusted. Every field is checked, and every error names its place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NoReturn

from underpaint.core.errors import FormatError, nearest
from underpaint.hints.check import MAX_NUMBER, MAX_POINTS

MAX_RUNS = 50_000_000
"""The limit of a list of whole numbers: half the pixels of the largest image."""


NUMBER = f"a finite number up to {MAX_NUMBER:g}"
"""The numbers that all formats accept, for messages."""


class Fields:
    """The fields of one JSON object.

    Args:
        record: The value that the JSON parser returned.
        where: The file and line, for messages.

    Raises:
        FormatError: The value is not an object. The methods raise it for a field that is missing or has another type.
    """

    def __init__(self, record: Any, where: str) -> None:
        if not isinstance(record, dict):
            raise FormatError(f"expected an object, got {_shown(record)}", where=where, accepted='{"key": value, ...}')
        self._record = record
        self._where = where
        self._known: set[str] = set()

    def __contains__(self, key: str) -> bool:
        self._known.add(key)
        return key in self._record

    def _take(self, key: str) -> Any:
        self._known.add(key)
        try:
            return self._record[key]
        except KeyError:
            raise FormatError(f"the field {key!r} is missing", where=self._where) from None

    def _bad(self, key: str, value: Any, accepted: str) -> FormatError:
        return FormatError(f"the field {key!r} is {_shown(value)}", where=self._where, accepted=accepted)

    @property
    def where(self) -> str:
        """The file and the place of the object, for messages."""
        return self._where

    def value(self, key: str) -> Any:
        """A field without any check, for a caller that checks it."""
        return self._take(key)

    def flat_points(self, key: str) -> Iterator[list[tuple[float, float]]]:
        """A list of lists ``[x1, y1, x2, y2, ...]`` of finite numbers."""
        for values in self._list(key):
            self._refuse_many(key, values, 2 * MAX_POINTS)
            numbers = _finite_numbers(values)
            if numbers is None or len(numbers) % 2:
                raise self._bad(key, values, f"lists [x1, y1, x2, y2, ...], each {NUMBER}")
            yield list(zip(numbers[::2], numbers[1::2], strict=True))

    def refuse(self, key: str, accepted: str) -> NoReturn:
        """Raise `FormatError` for a field whose value the caller does not accept."""
        raise self._bad(key, self._record.get(key), accepted)

    def text(self, key: str, *, empty: bool = False) -> str:
        """A string, which may be empty only with ``empty``."""
        value = self._take(key)
        if not isinstance(value, str) or not (value or empty):
            raise self._bad(key, value, "a string" if empty else "a string that is not empty")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings that are not empty; an empty list if the field is missing."""
        values = self._list(key)
        if not all(isinstance(value, str) and value for value in values):
            raise self._bad(key, values, "a list of strings")
        return values

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._bad(key, value, "true or false")
        return value

    def number(self, key: str, *, low: float = -math.inf, above: float = -math.inf) -> float:
        """A finite number, at least ``low`` and greater than ``above``."""
        value = finite(self._take(key))
        if value is None or value < low or value <= above:
            bound = f" >= {low}" if low > -math.inf else f" > {above}" if above > -math.inf else ""
            raise self._bad(key, self._record[key], f"{NUMBER}{bound}")
        return value

    def whole(self, key: str, *, low: int | None = None) -> int:
        """A whole number, at least ``low`` if given."""
        value = self._take(key)
        if not isinstance(value, int) or isinstance(value, bool) or (low is not None and value < low):
            raise self._bad(key, value, "a whole number" + (f" >= {low}" if low is not None else ""))
        return value

    def wholes(self, key: str, *, low: int) -> list[int]:
        """A list of whole numbers of at least ``low``; an empty list if the field is missing."""
        values = self._list(key)
        self._refuse_many(key, values, MAX_RUNS)
        if not all(type(value) is int and value >= low for value in values):
            raise self._bad(key, values, f"a list of whole numbers >= {low}")
        return values

    def pairs(self, key: str) -> Iterator[tuple[float, float]]:
        """A list of at least one [x, y]."""
        return self._pairs(key, self._list(key))

    def rings(self, key: str) -> Iterator[list[tuple[float, float]]]:
        """A list of lists of at least one [x, y]; an empty list if the field is missing."""
        for ring in self._list(key):
            if not isinstance(ring, list):
                raise self._bad(key, ring, "lists of points [x, y]")
            yield list(self._pairs(key, ring))

    def _pairs(self, key: str, values: list[Any]) -> Iterator[tuple[float, float]]:
        if not values:
            raise self._bad(key, values, "at least one point [x, y]")
        self._refuse_many(key, values, MAX_POINTS)
        for value in values:
            x, y = map(finite, value) if isinstance(value, list) and len(value) == 2 else (None, None)
            if x is None or y is None:
                raise self._bad(key, value, f"points [x, y], each {NUMBER}")
            yield x, y

    def _refuse_many(self, key: str, values: Any, limit: int) -> None:
        """Raise an error for a list with more values than a shape may have, before they are converted into points."""
        if isinstance(values, list) and len(values) > limit:
            raise FormatError(
                f"the field {key!r} has {len(values)} values", where=self._where, accepted=f"up to {limit}"
            )

    def items(self, key: str) -> Iterator[Fields]:
        """The objects of a list; none if the field is missing."""
        for number, value in enumerate(self._list(key)):
            yield Fields(value, f"{self._where}, {key}[{number}]")

    def inner(self, key: str) -> Fields:
        """An object within this one."""
        return Fields(self._take(key), f"{self._where}, {key}")

    def _list(self, key: str) -> list[Any]:
        value = self._take(key) if key in self else []
        if not isinstance(value, list):
            raise self._bad(key, value, "a list")
        return value

    def refuse_rest(self) -> None:
        """Raise an error if the object has a field that none of the methods was called for."""
        rest = sorted(set(self._record) - self._known)
        if rest:
            known = sorted(self._known)
            fix = nearest(rest[0], known) or None
            raise FormatError(f"unknown field {rest[0]!r}", where=self._where, accepted=", ".join(known), fix=fix)


def finite(value: Any) -> float | None:
    """The value as a float if it is a number of at most `MAX_NUMBER` (not a boolean, not 1e999), else None.

    All formats read numbers with this function or `_finite_numbers`. Larger numbers would overflow when shapes are
    rotated, cut and rasterised.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= MAX_NUMBER else None  # false for NaN as well


def from_text(text: str) -> float | None:
    """The number in a text, with the limits of `finite`, or None."""
    try:
        return finite(float(text))
    except ValueError:
        return None


def _finite_numbers(values: Any) -> list[float] | None:
    """A list of numbers of at most `MAX_NUMBER` as floats, else None. It is fast for millions of numbers."""
    if not isinstance(values, list) or not set(map(type, values)) <= {int, float}:
        return None
    try:
        numbers = list(map(float, values))
    except OverflowError:
        return None
    # max and min may miss a NaN, but the sum does not.
    within = not numbers or (max(numbers) <= MAX_NUMBER and min(numbers) >= -MAX_NUMBER)
    return numbers if within and math.isfinite(sum(numbers)) else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
