"""Writes the hints file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from underpaint.annotations.jsonl.read import HEADER
from underpaint.annotations.parsing.shapes import shape_fields
from underpaint.core.atomic import write_atomic
from underpaint.core.classes import Numbering
from underpaint.core.errors import HintError
from underpaint.core.paths import leads_out
from underpaint.hints.check import check_hints
from underpaint.hints.types import Hints


def write_hints(path: Path, hints: Iterable[Hints]) -> None:
    """Write a hints file, either completely or not at all. An older file under the same name is replaced at the end.

    Raises:
        HintError: an image is given twice, a number is NaN, a label image lies outside of the data set, or hints
            contradict themselves.
        DataError: the file cannot be written.
    """
    write_atomic(path, hints_bytes(path, hints))


def hints_bytes(path: Path, hints: Iterable[Hints]) -> bytes:
    """The content of a hints file. Errors name ``path``.

    Raises:
        HintError: as `write_hints`.
    """
    lines = [_dump(HEADER)]
    seen: set[str] = set()
    for one in hints:
        if one.image in seen:
            raise HintError(f"the image {one.image!r} is given twice", where=path, fix="merge its hints into one")
        seen.add(one.image)
        check_hints(one, None, f"{path}: {one.image}")
        if one.mask is not None and leads_out(one.mask):
            what = f"the label image {one.mask!r} lies outside of the data set"
            raise HintError(what, where=path, fix="copy the label images into the data set's folder")
        lines.append(_dump(hint_record(one)))
    return b"".join(lines)


def hint_record(hints: Hints) -> dict[str, Any]:
    """The JSON object of one image, with only the keys that have a value."""
    values: dict[str, Any] = {
        "clicks": [shape_fields(click) for click in hints.clicks],
        "scribbles": [shape_fields(scribble) for scribble in hints.scribbles],
        "boxes": [shape_fields(box) for box in hints.boxes],
        "boxed": sorted(hints.boxed),
        "regions": [shape_fields(region) for region in hints.regions],
        "source": hints.source,
        "unplaced": hints.unplaced,
    }
    record = {"image": hints.image} | {key: value for key, value in values.items() if value}
    if hints.size is not None:
        record |= {"height": hints.size[0], "width": hints.size[1]}
    if hints.tags is not None:
        record["tags"] = {"present": sorted(hints.tags.present), "absent": sorted(hints.tags.absent)}
    numbering = None if hints.numbering is None else _numbering_record(hints.numbering)
    optional = {"mask": hints.mask, "seconds": hints.seconds, "numbering": numbering, "strokes": hints.strokes or None}
    return record | {key: value for key, value in optional.items() if value is not None}


def _numbering_record(numbering: Numbering) -> dict[str, Any]:
    """The numbering without the file from which it was read, which differs between machines."""
    meanings = [{"number": one.number, "class": one.name, "colour": one.colour} for one in numbering.meanings]
    numbers = [{key: value for key, value in one.items() if value is not None} for one in meanings]
    record = {"numbers": numbers, "others": numbering.others}
    return {key: value for key, value in record.items() if value}


def _dump(item: Mapping[str, Any]) -> bytes:
    """One line of the file.

    A file name that is no UTF-8 holds lone surrogates. They become JSON escapes, and are read back as such.
    """
    text = json.dumps(item, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"
