"""The hints file, written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from underpaint.annotations.jsonl.read import HEADER
from underpaint.core.atomic import write_atomic
from underpaint.core.classes import Numbering
from underpaint.core.errors import HintError
from underpaint.core.inside import leads_out
from underpaint.hints.check import check_hints
from underpaint.hints.types import IGNORED, Bitmap, Hints, Point, Region


def write_hints(path: Path, hints: Iterable[Hints]) -> None:
    """Write a hints file, whole or not at all; an older file under the same name is replaced at the end.

    Raises:
        HintError: an image given twice, NaN, a label picture outside of the data set, or hints that contradict
            themselves.
        DataError: the disk refuses.
    """
    write_atomic(path, hints_bytes(path, hints))


def hints_bytes(path: Path, hints: Iterable[Hints]) -> bytes:
    """The content of a hints file; ``path`` is named in errors.

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
            what = f"the label picture {one.mask!r} lies outside of the data set"
            raise HintError(what, where=path, fix="copy the label pictures into the data set's folder")
        lines.append(_dump(hint_record(one)))
    return b"".join(lines)


def hint_record(hints: Hints) -> dict[str, Any]:
    """The JSON object of one image, with the keys that say something."""
    said: dict[str, Any] = {
        "clicks": [{"class": click.name, "x": click.x, "y": click.y} for click in hints.clicks],
        "scribbles": [{"class": s.name, "points": _points(s.points), "width": s.width} for s in hints.scribbles],
        "boxes": [{"class": box.name, "x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1} for box in hints.boxes],
        "boxed": sorted(hints.boxed),
        "regions": [_region_record(region) for region in hints.regions],
        "source": hints.source,
        "unplaced": hints.unplaced,
    }
    record = {"image": hints.image} | {key: value for key, value in said.items() if value}
    if hints.size is not None:
        record |= {"height": hints.size[0], "width": hints.size[1]}
    if hints.tags is not None:
        record["tags"] = {"present": sorted(hints.tags.present), "absent": sorted(hints.tags.absent)}
    numbering = None if hints.numbering is None else _numbering_record(hints.numbering)
    optional = {"mask": hints.mask, "seconds": hints.seconds, "numbering": numbering, "strokes": hints.strokes or None}
    return record | {key: value for key, value in optional.items() if value is not None}


def _numbering_record(numbering: Numbering) -> dict[str, Any]:
    """Without the file that it was read from, which is another one on another machine."""
    meanings = [{"number": one.number, "class": one.name, "colour": one.colour} for one in numbering.meanings]
    said = [{key: value for key, value in one.items() if value is not None} for one in meanings]
    record = {"numbers": said, "others": numbering.others}
    return {key: value for key, value in record.items() if value}


def _region_record(region: Region) -> dict[str, Any]:
    said = {"ignored": True} if region.name == IGNORED else {"class": region.name}
    if isinstance(region, Bitmap):
        place = {"x": region.x, "y": region.y, "width": region.width, "height": region.height}
        return {**said, **place, "runs": list(region.runs)}
    holes = {"holes": [_points(hole) for hole in region.holes]} if region.holes else {}
    return {**said, "points": _points(region.ring), **holes}


def _points(points: Iterable[Point]) -> list[list[float]]:
    return [list(point) for point in points]


def _dump(item: Mapping[str, Any]) -> bytes:
    """One line. A file name that is no UTF-8 holds lone surrogates, which become JSON escapes and read back as such."""
    text = json.dumps(item, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"
