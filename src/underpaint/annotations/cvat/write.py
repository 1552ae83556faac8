"""Writes hints as XML that CVAT imports ("CVAT for images 1.1")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from underpaint.annotations.parsing.xml_text import NO_XML
from underpaint.core.atomic import write_atomic
from underpaint.core.errors import HintError
from underpaint.hints.bitmap_runs import as_bitmap
from underpaint.hints.check import check_hints
from underpaint.hints.types import Hints, Point, Polygon

Attributes = dict[str, object]


def write_cvat(
    path: Path, hints: Iterable[Hints], *, classes: Sequence[str] = (), file: Callable[[str], str] = str
) -> None:
    """Write hints as one XML file, either completely or not at all.

    Scribbles become polylines, clicks points, bitmaps masks. Polygons with holes become masks of their pixels, because
    polygons in this format have no holes. ``z_order`` states which region is above. Everything that the format cannot
    store is left out: pen widths, ``boxed``, absent tags, mask files, seconds and the source.

    Args:
        path: The file.
        hints: The hints of each image.
        classes: The labels to declare. Labels that occur are added.
        file: Gives the file name of an image.

    Raises:
        HintError: an image of unknown size, a name with characters that XML cannot hold, or hints that contradict
            themselves.
        DataError: the file cannot be written.
    """
    images = [line for i, one in enumerate(hints) for line in _image(i, one, file(one.image), f"{path}: {one.image!r}")]
    text = "\n".join([*_head(classes), *images, "</annotations>", ""])
    forbidden = NO_XML.search(text)
    if forbidden:
        line = text[: forbidden.start()].count("\n")
        where = f"{path}: {text.splitlines()[line].strip()[:80]!r}"
        raise HintError(
            f"XML cannot contain the character {forbidden[0]!r}", where=where, fix="rename the image or the class"
        )
    write_atomic(path, text.encode())


def _head(classes: Sequence[str]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<annotations>"
    yield "  <version>1.1</version>"
    if classes:
        labels = "".join(f"<label><name>{escape(name)}</name></label>" for name in classes)
        yield f"  <meta><task><labels>{labels}</labels></task></meta>"


def _image(number: int, hints: Hints, file: str, where: str) -> Iterator[str]:
    check_hints(hints, None, where)
    if hints.size is None:
        raise HintError("the size of the image is not known", where=where, fix="give the data set with its images")
    height, width = hints.size
    yield "  <image" + _text({"id": number, "name": file, "width": width, "height": height}) + ">"
    for tag, attributes in _shapes(hints, hints.size):
        yield f"    <{tag}{_text(attributes)}/>"
    yield "  </image>"


def _text(attributes: Attributes) -> str:
    return "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items())


def _shapes(hints: Hints, size: tuple[int, int]) -> Iterator[tuple[str, Attributes]]:
    for name in sorted(hints.tags.present) if hints.tags else ():
        yield "tag", {"label": name}
    for click in hints.clicks:
        yield "points", {"label": click.name, "points": _points([(click.x, click.y)])}
    for scribble in hints.scribbles:
        yield "polyline", {"label": scribble.name, "points": _points(scribble.points)}
    for box in hints.boxes:
        yield "box", {"label": box.name, "xtl": box.x0, "ytl": box.y0, "xbr": box.x1, "ybr": box.y1}
    for order, region in enumerate(hints.regions):
        if isinstance(region, Polygon) and not region.holes:
            yield "polygon", {"label": region.name, "points": _points(region.ring), "z_order": order}
        elif bitmap := as_bitmap(region, size):
            place = {"left": bitmap.x, "top": bitmap.y, "width": bitmap.width, "height": bitmap.height}
            yield "mask", {"label": region.name, "rle": ", ".join(map(str, bitmap.runs)), **place, "z_order": order}


def _points(points: Iterable[Point]) -> str:
    return ";".join(f"{float(x)!r},{float(y)!r}" for x, y in points)
