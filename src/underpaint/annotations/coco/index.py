"""Reads the categories and images of a COCO file without its annotations."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.sniff import is_json
from underpaint.core.errors import FormatError
from underpaint.core.json_text import read_text


def is_coco(path: Path) -> bool:
    """Whether a file looks like COCO instances."""
    return is_json(path, "{", "images", "annotations", "categories")


def coco_classes(path: Path) -> tuple[str, ...]:
    """The names of the categories in the order of the file. Annotations are not read.

    Raises:
        FormatError: the file has no list of categories with names.
    """
    found = list_of(read_text(path), "categories", "name")
    if not found:
        raise FormatError("no categories", where=path, accepted='"categories": [{"id": 1, "name": "cat"}]')
    return tuple(dict.fromkeys(one["name"] for one in found))


def coco_ids(path: Path) -> dict[str, int]:
    """The id of each category by its name. Annotations are not read."""
    found: list[dict[str, Any]] = list(list_of(read_text(path), "categories", "name"))
    return {one["name"]: one["id"] for one in reversed(found) if type(one.get("id")) is int}


def list_of(content: str, key: str, text: str) -> list[dict[str, str]]:
    """The first list under ``key`` in which every object has the string ``text``; an empty list where there is none."""
    for match in re.finditer(rf'"{key}"\s*:\s*', content):
        try:
            found, _ = json.JSONDecoder().raw_decode(content, match.end())
        except (ValueError, RecursionError):
            continue
        if isinstance(found, list) and all(isinstance(one, dict) and isinstance(one.get(text), str) for one in found):
            return found
    return []


def coco_images(path: Path) -> tuple[str, ...]:
    """The file names of the images; empty where they cannot be read without the annotations."""
    return tuple(one["file_name"] for one in list_of(read_text(path), "images", "file_name"))
