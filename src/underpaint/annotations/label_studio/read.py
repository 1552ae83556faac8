"""Label Studio's JSON: a list of tasks, each an image with the annotations that people made of it.

Coordinates are percent of the image's sides. ``image_rotation`` is how the annotator turned the view; coordinates do
not turn with it (Label Studio's own test of rotation, ``image.zoom-rotate.test.js``), so it is passed over. Of several
annotations of a task one is taken: of those marked as ground truth, or else of all, the one updated last. Skipped
(cancelled) annotations and a model's predictions are no hints.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from underpaint.annotations.label_studio.rle import decode_brush
from underpaint.annotations.parsing.fields import Fields, finite
from underpaint.annotations.parsing.sniff import holds, is_json
from underpaint.annotations.parsing.turned import ANGLES, ellipse, turned_box
from underpaint.core.errors import FormatError
from underpaint.core.json_text import read_json
from underpaint.hints.bitmap_runs import tight_bitmap
from underpaint.hints.check import check_hints
from underpaint.hints.ignore import has_area, set_aside, thin
from underpaint.hints.merge import merge_hints
from underpaint.hints.types import IGNORED, Box, Click, Hints, Point, Polygon, Region, Scribble, Tags
from underpaint.imagefiles.decode import MAX_PIXELS
from underpaint.imagefiles.images import SUFFIXES

SOURCE = "Label Studio"

DIGITS = 6
"""Decimals of a pixel that are kept: percent and back again then gives the same number."""

NO_SHAPES = frozenset({"choices", "textarea", "rating", "number", "datetime", "taxonomy", "pairwise", "relation", None})
"""Types of results that say something of an image, or of a region, and are no region themselves."""

UNITS = 100.0
"""Coordinates are percent."""


def is_label_studio(path: Path) -> bool:
    """Whether a file looks like a list of annotated tasks."""
    return is_json(path, "[", "data") and any(holds(path, rf'"{key}"\s*:') for key in ("annotations", "completions"))


def read_label_studio(path: Path, *, left_out: Counter[str] | None = None) -> dict[str, Hints]:
    """Read an export of Label Studio ("JSON", not "JSON-MIN"): hints by image name.

    Rectangles become boxes (one at an angle the box around it), polygons, ellipses and brush strokes regions, key
    points clicks, choices tags. A region with two labels, or none, says nothing that can be learnt: it is left out, and
    what it covers is ignored.

    Args:
        path: The file.
        left_out: Counts here what is left out, by the reason.

    Raises:
        FormatError: not this structure, a damaged brush stroke, or an image of two sizes; names task and result.
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
        address = _address(task.get("data"), where)
        hints = _hints(_name(address), annotation, where, counts)
        if hints.says():
            read.append((address, hints))
    names = _distinct(address for address, _ in read)
    for address, hints in read:
        one = replace(hints, image=names[address])
        found[one.image] = merge_hints(found[one.image], one) if one.image in found else one
    counts += Counter()  # takes out what was counted 0 times
    return found


def image_name(data: Any, where: object) -> str:
    """The path of a task's image, without host, query and the suffix of a photograph: text to match, never to open.

    Raises:
        FormatError: no text, or several of which none is called ``image``.
    """
    return _name(_address(data, where))


def _address(data: Any, where: object) -> str:
    """What a task gives as its image."""
    fields = data if isinstance(data, dict) else {}
    texts = {key: text for key, text in fields.items() if isinstance(text, str) and text}
    photographs = [text for text in texts.values() if Path(_path_of(text)).suffix.lower() in SUFFIXES]
    address = texts.get("image") or (photographs[0] if len(photographs) == 1 else "")
    if not _path_of(address):
        what = f"the task names {len(photographs)} images"
        raise FormatError(what, where=where, accepted='one path, such as "data": {"image": "a.jpg"}')
    return address


def _name(address: str) -> str:
    path = _path_of(address)
    stem = path[: -len(Path(path).suffix)] if Path(path).suffix.lower() in SUFFIXES else path
    return stem or path


def _distinct(addresses: Iterable[str]) -> dict[str, str]:
    """The name of each address; those of which two come down to one name stay as they are, and so apart."""
    names = {address: _name(address) for address in addresses}
    used = Counter(names.values())
    return {address: name if used[name] == 1 else address for address, name in names.items()}


def _path_of(text: str) -> str:
    """The path in a URL, or in the query of a file that the server reads from a folder (``?d=folder/a.jpg``)."""
    if "://" not in text and not text.startswith("/data/"):
        return text
    local = re.search(r"[?&]d=([^&]*)", text)
    try:
        return unquote(local[1] if local else urlsplit(text).path)
    except ValueError:  # "http://[" is no URL; as a name it matches nothing
        return text


def _annotation(task: dict[str, Any], where: str, left_out: Counter[str]) -> dict[str, Any] | None:
    listed = task.get("annotations", task.get("completions")) or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise FormatError("the annotations are no list of objects", where=where, accepted='"annotations": [{...}]')
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
    # The texts are ISO 8601 of one clock, so their order is that of time; of equals the last counts.
    newest: dict[str, Any] = max(reversed(best), key=lambda one: one["updated_at"]) if dated else best[-1]
    return newest


@dataclass
class _Drawn:
    """What the results of one annotation have said so far."""

    left_out: Counter[str]
    sizes: set[tuple[int, int]] = field(default_factory=set)
    clicks: list[Click] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    thin: list[Scribble] = field(default_factory=list)
    unplaced: int = 0

    def set_aside(self, reason: str, points: Sequence[Point]) -> None:
        """Leave out a shape that covers nothing; what lies along its points is ignored."""
        self.left_out[reason] += 1
        self.thin.append(thin(points))


def _hints(image: str, annotation: dict[str, Any], where: str, left_out: Counter[str]) -> Hints:
    results = annotation.get("result") or []
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise FormatError("the result is no list of objects", where=where, accepted='"result": [{...}]')
    # <Rectangle> beside <Labels> gives two results with one id: the shape, and the shape again with its label.
    labelled = {one.get("id") for one in results if _labels(one) and isinstance(one.get("id"), str)}
    drawn = _Drawn(left_out)
    for number, one in enumerate(results):
        if _labels(one) or not (isinstance(one.get("id"), str) and one["id"] in labelled):
            _add(drawn, one, f"{where}, result {number}")
    if len(drawn.sizes) > 1:
        raise FormatError(f"the image has {len(drawn.sizes)} sizes", where=where, accepted="one original size")
    seconds = finite(annotation.get("lead_time"))
    hints = Hints(
        image=image,
        size=next(iter(drawn.sizes), None),
        clicks=tuple(drawn.clicks),
        scribbles=tuple(drawn.thin),
        boxes=tuple(drawn.boxes),
        tags=Tags(frozenset(drawn.present)) if drawn.present else None,
        source=SOURCE,
        seconds=seconds if seconds is not None and seconds >= 0 else None,
        regions=tuple(drawn.regions),
        unplaced=drawn.unplaced,
    )
    hints = set_aside(hints)
    check_hints(hints, None, where)
    return hints


def _labels(result: dict[str, Any]) -> list[str]:
    """The labels of a result: under its own type, or under ``labels``."""
    value = result.get("value")
    if not isinstance(value, dict):
        return []
    kind = result.get("type")
    listed = value.get(kind if isinstance(kind, str) else "") or value.get("labels") or value.get("choices")
    texts = listed if isinstance(listed, list) else []
    return [text for text in texts if isinstance(text, str) and text]


def _add(drawn: _Drawn, result: dict[str, Any], where: str) -> None:
    labels = _labels(result)
    value = result.get("value")
    keys = set(value) if isinstance(value, dict) else set()
    if {"original_height", "original_width"} <= result.keys():
        drawn.sizes.add(_size(result, where))
    if "choices" in keys and not keys & {"x", "points", "rle"}:
        drawn.present |= set(labels)
        return
    shape = next((read for needed, read in _SHAPES if needed <= keys), None)
    if shape is None or "choices" in keys:
        stated = result.get("type")
        kind = stated[:20] if isinstance(stated, str) else None if stated is None else "unknown"
        drawn.left_out[f"results of type {kind!r}"] += 1
        drawn.unplaced += kind not in NO_SHAPES and "choices" not in keys
        return
    if len(labels) != 1:
        drawn.left_out["regions with several labels" if labels else "regions without a label"] += 1
    name = labels[0] if len(labels) == 1 else IGNORED
    shape(drawn, name, Fields(value, where), _size(result, where), where)


def _size(result: dict[str, Any], where: str) -> tuple[int, int]:
    fields = Fields(result, where)
    height, width = fields.whole("original_height", low=1), fields.whole("original_width", low=1)
    if height * width > MAX_PIXELS:
        fields.refuse("original_width", f"images of at most {MAX_PIXELS} pixels")
    return height, width


def _pixels(percent: float, side: int) -> float:
    return round(percent / UNITS * side, DIGITS)


def _point(value: Fields, size: tuple[int, int]) -> Point:
    return _pixels(value.number("x"), size[1]), _pixels(value.number("y"), size[0])


def _angle(value: Fields) -> float:
    return value.number("rotation") if "rotation" in value else 0.0


def _brush(drawn: _Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    numbers = value.wholes("rle", low=0)
    if max(numbers, default=0) > 255:
        value.refuse("rle", "numbers 0..255")
    bitmap = tight_bitmap(name, decode_brush(bytes(numbers), size, where), size[1])
    if bitmap is None:
        drawn.left_out["empty brush strokes"] += 1
    else:
        drawn.regions.append(bitmap)


def _polygon(drawn: _Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    ring = tuple((_pixels(x, size[1]), _pixels(y, size[0])) for x, y in value.pairs("points"))
    if not has_area(ring):
        drawn.set_aside("polygons that cover nothing", ring)
    else:
        drawn.regions.append(Polygon(name, ring))


def _ellipse(drawn: _Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    radii = _pixels(value.number("radiusX", low=0), size[1]), _pixels(value.number("radiusY", low=0), size[0])
    x, y = _point(value, size)
    region = ellipse(name, (x, y), radii, _angle(value), size) if min(radii) > 0 else None
    if region is None:
        drawn.set_aside("ellipses without area in the image", ((x, y),))
    else:
        drawn.regions.append(region)


def _rectangle(drawn: _Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    x, y = _point(value, size)
    # From both ends in percent, so that a box that ends at the image's border ends there exactly.
    x1 = _pixels(value.number("x") + value.number("width", low=0), size[1])
    y1 = _pixels(value.number("y") + value.number("height", low=0), size[0])
    # The corner (x, y) stays in place while the box is turned (HumanSignal/label-studio#5274).
    box = turned_box(Box(name, x, y, x1, y1), (x, y), _angle(value), size)
    if not box.area > 0:
        drawn.set_aside("boxes without area in the image", ((x, y), (x1, y1)))
        return
    if _angle(value) % 90 != 0:
        drawn.left_out[ANGLES] += 1
    drawn.boxes.append(box)


def _click(drawn: _Drawn, name: str, value: Fields, size: tuple[int, int], where: str) -> None:
    drawn.clicks.append(Click(name, *_point(value, size)))


_Read = Callable[[_Drawn, str, Fields, tuple[int, int], str], None]

_SHAPES: tuple[tuple[set[str], _Read], ...] = (
    ({"rle"}, _brush),
    ({"points"}, _polygon),
    ({"radiusX", "radiusY"}, _ellipse),
    ({"x", "y", "width", "height"}, _rectangle),
    ({"x", "y"}, _click),
)
"""Readers of a result's value by the keys that it must have, the first that fits."""
