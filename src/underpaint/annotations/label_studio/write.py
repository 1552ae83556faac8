"""Writes hints as tasks that Label Studio imports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from underpaint.annotations.label_studio.results import UNITS
from underpaint.annotations.label_studio.rle import encode_brush
from underpaint.core.atomic import write_atomic
from underpaint.core.errors import HintError
from underpaint.hints.bitmap_runs import as_bitmap, whole_image_runs
from underpaint.hints.check import check_hints
from underpaint.hints.types import Hints, Polygon

CONTROLS = {
    "rectanglelabels": "label",
    "polygonlabels": "label",
    "brushlabels": "tag",
    "keypointlabels": "kp-1",
    "choices": "choice",
}
"""The names that Label Studio's templates give to the control of each type of result
(https://github.com/HumanSignal/label-studio, ``label_studio/annotation_templates/computer-vision``)."""


def write_label_studio(path: Path, hints: Iterable[Hints], *, file: Callable[[str], str] = str) -> None:
    """Write hints as tasks that Label Studio imports, either completely or not at all.

    The controls have the names that Label Studio's own templates give them, so that a project made from a template
    shows the results. Bitmaps become brush strokes, and so do polygons with holes, because polygons in this format have
    no holes. Everything that the format cannot store is left out: scribbles, ``boxed``, absent tags, mask files and the
    source.

    Args:
        path: The file.
        hints: The hints of each image.
        file: Gives the file name of an image.

    Raises:
        HintError: An image with shapes has an unknown size, which is needed for percent, or hints are contradictory.
        DataError: the file cannot be written.
    """
    tasks = [_task(number, one, file(one.image), f"{path}: image {one.image!r}") for number, one in enumerate(hints, 1)]
    text = json.dumps(tasks, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    write_atomic(path, text.encode("utf-8", "backslashreplace") + b"\n")


def _task(number: int, hints: Hints, file: str, where: str) -> dict[str, Any]:
    check_hints(hints, None, where)
    if hints.size is None and (hints.clicks or hints.boxes or hints.regions):
        raise HintError("the size of the image is not known", where=where, fix="give the data set with its images")
    frame: dict[str, Any] = {"to_name": "image", "image_rotation": 0}
    if hints.size is not None:
        frame |= {"original_height": hints.size[0], "original_width": hints.size[1]}
    results = [
        {"id": f"{number}-{i}", "type": kind, "from_name": CONTROLS[kind], **frame, "value": value}
        for i, (kind, value) in enumerate(_results(hints, hints.size or (1, 1)), start=1)
    ]
    annotation: dict[str, Any] = {"result": results, "was_cancelled": False, "ground_truth": False}
    if hints.seconds is not None:
        annotation["lead_time"] = hints.seconds
    return {"id": number, "data": {"image": file}, "annotations": [annotation]}


def _results(hints: Hints, size: tuple[int, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    for click in hints.clicks:
        place = {"x": _percent(click.x, size[1]), "y": _percent(click.y, size[0]), "width": 1}
        yield "keypointlabels", {**place, "keypointlabels": [click.name]}
    for box in hints.boxes:
        x, y = _percent(box.x0, size[1]), _percent(box.y0, size[0])
        sides = {"width": _percent(box.x1, size[1]) - x, "height": _percent(box.y1, size[0]) - y}
        yield "rectanglelabels", {"x": x, "y": y, **sides, "rotation": 0, "rectanglelabels": [box.name]}
    for region in hints.regions:
        if isinstance(region, Polygon) and not region.holes:
            ring = [[_percent(x, size[1]), _percent(y, size[0])] for x, y in region.ring]
            yield "polygonlabels", {"points": ring, "closed": True, "polygonlabels": [region.name]}
        elif bitmap := as_bitmap(region, size):
            rle = encode_brush(whole_image_runs(bitmap, size), size)
            yield "brushlabels", {"format": "rle", "rle": rle, "brushlabels": [region.name]}
    if hints.tags is not None and hints.tags.present:
        yield "choices", {"choices": sorted(hints.tags.present)}


def _percent(pixels: float, side: int) -> float:
    return pixels / side * UNITS
