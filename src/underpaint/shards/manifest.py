"""Reads manifests of all kinds and yields their images."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from underpaint.core.errors import DataError
from underpaint.imagefiles.images import SUFFIXES, stream_images
from underpaint.imagefiles.slices import ending_of
from underpaint.shards.addresses import MAGIC, files_at, is_remote, opened, stated_name
from underpaint.shards.archives import members
from underpaint.shards.items import Entries, Entry, Item, LeftOut, checked
from underpaint.shards.tables import parquet_rows

LINES, PARQUET, TAR = (".jsonl", ".ndjson"), (".parquet",), (".tar",)

LONGEST = 1 << 16
"""Largest length of a line of a manifest in bytes."""

ACCEPTED = (
    "a manifest (.jsonl, .parquet), a folder, a pattern such as 'photos/**/*.jpg', archives (.tar), "
    "or the address of any of these, such as s3://bucket/photos"
)


def is_manifest(source: str) -> bool:
    """Whether a text stands for a manifest, and not for a folder or a single image."""
    if is_remote(source) or ending_of(source) in (*LINES, *PARQUET, *TAR):
        return True
    return MAGIC.search(source) is not None and not Path(source).exists()


def entries(source: str) -> Entries:
    """Yield the images of a manifest, and its parts that are not images, in a fixed order.

    A line of a JSON Lines file or a row of a Parquet file has ``image``, a path or an address, and can have ``name``.
    Paths are relative to the folder of the manifest. Without ``name``, the name is the path without its ending. In a
    folder or a pattern it is relative to that folder; in an archive it is ``ARCHIVE/MEMBER``.

    Raises:
        DataError: The whole manifest is missing or cannot be read; or the same as in `file_system`.
    """
    ending = ending_of(source)
    if MAGIC.search(source) and (is_remote(source) or not Path(source).exists()):
        return _files(source)
    if ending in LINES:
        return _lines(source)
    if ending in PARQUET:
        return (_entry(row, source, f"row {number}") for number, row in enumerate(parquet_rows(source), start=1))
    if ending in TAR:
        return members(source)
    if is_remote(source):
        return _files(source)
    return _folder(Path(source))


def _folder(folder: Path) -> Entries:
    if not folder.is_dir():
        raise DataError("the manifest is neither a folder nor a file of a known kind", where=folder, accepted=ACCEPTED)
    for name, path in stream_images(folder):
        yield checked(Item(name, os.path.abspath(path)), str(path))  # noqa: PTH100


def _files(pattern: str) -> Entries:
    """The images, and the images in archives, at an address or matching a pattern."""
    found = MAGIC.search(pattern)
    base = pattern if found is None else pattern[: found.start()].rpartition("/")[0]
    for at in files_at(pattern):
        ending = ending_of(at)
        if ending in TAR:
            yield from members(at)
        elif ending in SUFFIXES:
            name = stated_name(at).removeprefix(stated_name(base + "/")).lstrip("/")
            yield checked(Item(name, at if is_remote(at) else os.path.abspath(at)), at)  # noqa: PTH100


def _lines(source: str) -> Entries:
    with opened(source) as file:
        for number in itertools.count(1):
            line = file.readline(LONGEST + 1)
            if not line:
                return
            where = f"line {number}"
            if len(line) > LONGEST:
                _skip_line(file)
                yield LeftOut(where, f"it is longer than {LONGEST} bytes")
            elif line.strip():
                yield _of_line(line, source, where)


def _skip_line(file: Any) -> None:
    while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass


def _of_line(line: bytes, source: str, where: str) -> Entry:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return LeftOut(where, f"it is not valid JSON: {error}"[:300])
    return _entry(row, source, where)


def _entry(row: Any, source: str, where: str) -> Entry:
    """The image of a row of a manifest."""
    image = row.get("image") if isinstance(row, Mapping) else None
    name = row.get("name") if isinstance(row, Mapping) else None
    if not isinstance(image, str) or not image or "\0" in image:
        return LeftOut(where, 'it has no "image" with a path or an address, as {"image": "farm/0001.jpg"}')
    if name is not None and not isinstance(name, str):
        return LeftOut(where, '"name" is not text')
    return checked(Item(stated_name(image) if name is None else name, _beside(image, source)), where)


def _beside(image: str, source: str) -> str:
    """The path or address of an image in a manifest."""
    if is_remote(image):
        return image
    folder = source.rpartition("/")[0]
    if is_remote(source):
        return f"{folder}/{image}"
    return os.path.abspath(os.path.join(folder, image))  # noqa: PTH100, PTH118
