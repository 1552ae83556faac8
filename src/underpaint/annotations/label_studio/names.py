"""Determines the image of a task of Label Studio."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from underpaint.core.errors import FormatError
from underpaint.imagefiles.images import SUFFIXES


def image_name(data: Any, where: object) -> str:
    """The path of a task's image, without host, query and suffix. It is text to compare, never a path to open.

    Raises:
        FormatError: the task has no text, or several of which none is called ``image``.
    """
    return name_of(address_of(data, where))


def address_of(data: Any, where: object) -> str:
    """The address that a task gives for its image."""
    fields = data if isinstance(data, dict) else {}
    texts = {key: text for key, text in fields.items() if isinstance(text, str) and text}
    addresses = [text for text in texts.values() if Path(_path_of(text)).suffix.lower() in SUFFIXES]
    address = texts.get("image") or (addresses[0] if len(addresses) == 1 else "")
    if not _path_of(address):
        what = f"the task names {len(addresses)} images"
        raise FormatError(what, where=where, accepted='one path, such as "data": {"image": "a.jpg"}')
    return address


def name_of(address: str) -> str:
    """The path of an address, without the suffix of an image file."""
    path = _path_of(address)
    stem = path[: -len(Path(path).suffix)] if Path(path).suffix.lower() in SUFFIXES else path
    return stem or path


def distinct_names(addresses: Iterable[str]) -> dict[str, str]:
    """The name of each address. Addresses that would share a name stay as they are, so that they differ."""
    names = {address: name_of(address) for address in addresses}
    used = Counter(names.values())
    return {address: name if used[name] == 1 else address for address, name in names.items()}


def _path_of(text: str) -> str:
    """The path in a URL, or in the query for a file that the server reads from a folder (``?d=folder/a.jpg``)."""
    if "://" not in text and not text.startswith("/data/"):
        return text
    local = re.search(r"[?&]d=([^&]*)", text)
    try:
        return unquote(local[1] if local else urlsplit(text).path)
    except ValueError:  # "http://[" is not a URL; as a name it matches nothing
        return text
