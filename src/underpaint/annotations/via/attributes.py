"""Reads the attributes of regions and files in VIA, and finds the one with the class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.table import LABELS, heading_word, is_yes
from underpaint.core.classes import IGNORE_WORD
from underpaint.core.errors import FormatError
from underpaint.hints.types import Tags

TAGS = "tags"
"""The attribute of a file in which underpaint writes tags."""

Named = tuple[dict[str, Any], str]
"""The attributes of a region or a file, and their place for messages."""


def class_attribute(regions: Sequence[Named], path: Path) -> str | None:
    """The attribute that holds the classes of regions; None where no region has an attribute.

    Raises:
        FormatError: several attributes may be the class.
    """
    values: dict[str, list[tuple[str, ...]]] = {}
    for attributes, where in regions:
        for key in attributes:
            values.setdefault(key, []).append(_words(attributes[key], where))
    values = {key: of_key for key, of_key in values.items() if any(of_key)}
    ordinary = [key for word in LABELS for key in values if heading_word(key) == word]
    if ordinary:
        return ordinary[0]
    kinds = [key for key, of_key in values.items() if _can_be_classes(of_key)] or list(values)
    if len({tuple(values[key]) for key in kinds}) > 1:
        fix = f"call the attribute with the class {LABELS[0]!r} in VIA, or delete the others"
        raise FormatError(f"{len(kinds)} attributes may be the class: {', '.join(kinds)[:80]}", where=path, fix=fix)
    return kinds[0] if kinds else None


def _can_be_classes(values: Sequence[tuple[str, ...]]) -> bool:
    """Whether values can be classes: they are not numbers, and not different for every region."""
    every = [value for one in values for value in one]
    numbers = all(value.replace(".", "", 1).lstrip("-").isdigit() for value in every)
    return not numbers and (len(every) < 3 or len(set(every)) < len(every))


def _words(value: Any, where: str) -> tuple[str, ...]:
    """The words of an attribute: a text, or the ticked options of a list."""
    if isinstance(value, dict):
        return tuple(key.strip() for key, state in value.items() if key.strip() and is_yes(state))
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return (text,) if (text := str(value).strip()) else ()
    if value is None:
        return ()
    raise FormatError(f"an attribute is {str(value)[:40]!r}", where=where, accepted="a text, or options with true")


def label_of(attributes: Mapping[str, Any], key: str | None, where: str, left_out: Counter[str]) -> str:
    """The class of a region, or the word for shapes to be ignored where the region has no class or several."""
    named = _words(attributes.get(key), where) if key is not None else ()
    if len(named) == 1:
        return named[0]
    left_out["regions with several labels" if named else "regions without a class"] += 1
    return IGNORE_WORD


def tags_of(attributes: Mapping[str, Any], where: str) -> Tags | None:
    """The tags that the attributes of a file give, or None."""
    keys = [key for word in (TAGS, *LABELS) for key in attributes if heading_word(key) == word]
    present = frozenset(word for key in keys[:1] for word in _words(attributes[key], where))
    return Tags(present) if present else None
