"""Reads Label Studio's JSON: a list of tasks, each an image with the annotations that people made of it.

Coordinates are percent of the image's sides. ``image_rotation`` is the rotation of the annotator's view. It does not
change the coordinates (Label Studio's test of rotation, ``image.zoom-rotate.test.js``), so it is ignored. If a task has
several annotations, one is read: the last updated one among those marked as ground truth, or else among all. Skipped
(cancelled) annotations and predictions of a model are not hints.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from underpaint.annotations.label_studio.names import address_of, distinct_names, name_of
from underpaint.annotations.label_studio.results import Drawn, add_result, labels_of
from underpaint.annotations.parsing.fields import finite
from underpaint.annotations.parsing.sniff import holds, is_json
from underpaint.core.errors import FormatError
from underpaint.core.json_text import read_json
from underpaint.hints.check import check_hints
from underpaint.hints.ignore import set_aside
from underpaint.hints.merge import merge_hints
from underpaint.hints.types import Hints, Tags

SOURCE = "Label Studio"


def is_label_studio(path: Path) -> bool:
    """Whether a file looks like a list of annotated tasks."""
    return is_json(path, "[", "data") and any(holds(path, rf'"{key}"\s*:') for key in ("annotations", "completions"))


def read_label_studio(path: Path, *, left_out: Counter[str] | None = None) -> dict[str, Hints]:
    """Read an export of Label Studio ("JSON", not "JSON-MIN") as hints by image name.

    Rectangles become boxes (one at an angle becomes the upright box around it), polygons, ellipses and brush strokes
    regions, key points clicks, choices tags. A region with two labels, or none, becomes an ignored area.

    Args:
        path: The file.
        left_out: Counts what is left out, by reason; the reader adds to it.

    Raises:
        FormatError: another structure, a damaged brush stroke, or an image with two sizes. The error names task and
            result.
        HintError: numbers that are not finite, or hints that contradict each other.
    """
    counts: Counter[str] = Counter() if left_out is None else left_out
    content = read_json(path)
    found: dict[str, Hints] = {}
    read: list[tuple[str, Hints]] = []
    for number, task in enumerate(content if isinstance(content, list) else [content]):
        where = f"{path}, task {number}"
        if not isinstance(task, dict):
            raise FormatError("the task is not an object", where=where, accepted='{"data": ..., "annotations": [...]}')
        annotation = _annotation(task, where, counts)
        if annotation is None:
            continue
        address = address_of(task.get("data"), where)
        hints = _hints(name_of(address), annotation, where, counts)
        if hints.states_anything():
            read.append((address, hints))
    names = distinct_names(address for address, _ in read)
    for address, hints in read:
        one = replace(hints, image=names[address])
        found[one.image] = merge_hints(found[one.image], one) if one.image in found else one
    counts += Counter()  # removes counts of 0
    return found


def _annotation(task: dict[str, Any], where: str, left_out: Counter[str]) -> dict[str, Any] | None:
    listed = task.get("annotations", task.get("completions")) or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise FormatError("the annotations are not a list of objects", where=where, accepted='"annotations": [{...}]')
    kept = [one for one in listed if not (one.get("was_cancelled") or one.get("skipped"))]
    predictions = task.get("predictions")
    left_out.update(
        {
            "skipped annotations": len(listed) - len(kept),
            "further annotations of the same task": max(len(kept) - 1, 0),
            "predictions of a model": len(predictions) if isinstance(predictions, list) else 0,
        }
    )
    if not kept:
        return None
    best = [one for one in kept if one.get("ground_truth")] or kept
    dated = all(isinstance(one.get("updated_at"), str) for one in best)
    # The dates are ISO 8601 texts of one clock, so they sort by time. If dates are equal, the last annotation counts.
    newest: dict[str, Any] = max(reversed(best), key=lambda one: one["updated_at"]) if dated else best[-1]
    return newest


def _hints(image: str, annotation: dict[str, Any], where: str, left_out: Counter[str]) -> Hints:
    results = annotation.get("result") or []
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise FormatError("the result is not a list of objects", where=where, accepted='"result": [{...}]')
    # <Rectangle> together with <Labels> gives two results with one id: the shape, and the shape with its label.
    labelled = {one.get("id") for one in results if labels_of(one) and isinstance(one.get("id"), str)}
    drawn = Drawn(left_out)
    for number, one in enumerate(results):
        if labels_of(one) or not (isinstance(one.get("id"), str) and one["id"] in labelled):
            add_result(drawn, one, f"{where}, result {number}")
    if len(drawn.sizes) > 1:
        raise FormatError(f"the image has {len(drawn.sizes)} sizes", where=where, accepted="one original size")
    seconds = finite(annotation.get("lead_time"))
    hints = Hints(
        image=image,
        size=next(iter(drawn.sizes), None),
        shapes=tuple(drawn.shapes),
        tags=Tags(frozenset(drawn.present)) if drawn.present else None,
        source=SOURCE,
        seconds=seconds if seconds is not None and seconds >= 0 else None,
        unplaced=drawn.unplaced,
    )
    hints = set_aside(hints)
    check_hints(hints, None, where)
    return hints
