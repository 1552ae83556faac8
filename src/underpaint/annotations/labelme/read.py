"""Reads labelme's JSON: one file for each image, in the folder of the image."""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.parsing.sniff import files_of, is_json
from underpaint.annotations.parsing.turned import ANGLES
from underpaint.core.classes import IGNORE_WORD
from underpaint.core.errors import FormatError, listing
from underpaint.core.json_text import IMAGE_BYTES, read_json
from underpaint.hints.border import cut_box
from underpaint.hints.ignore import has_area, set_aside, thin
from underpaint.hints.rasterise import bitmap_of
from underpaint.hints.types import Bitmap, Box, Click, Hints, Point, Polygon, Scribble, Shape, Tags
from underpaint.imagefiles.decode import MAX_PIXELS, opened
from underpaint.imagefiles.images import find_files
from underpaint.imagefiles.naming import Names

SUFFIXES = frozenset({".json"})

KEYS = ("shapes", "imagePath")

PIXEL_MODES = frozenset({"1", "L", "P"})
"""Pillow's names of the pixel types that a mask may have. Every value but 0 is inside."""

TURNED = ("rotation", "oriented_rectangle")
"""Rectangles at an angle with their four corners: X-AnyLabeling's word, and labelme's."""

CIRCLE_ERROR = 0.05
"""How many pixels the polygon for a circle may lie inside it."""

MAX_CORNERS = 1000
"""The limit of that polygon's corners, which the error above requires up to a radius of 10,000 pixels."""


def is_labelme(path: Path) -> bool:
    """Whether a file, or the first JSON file of a folder, looks like a labelme file."""
    return any(is_json(file, "{", *KEYS) for file in files_of(path, SUFFIXES)[:1])


def read_labelme(
    path: Path, images: Mapping[str, Path] | None = None, *, left_out: Counter[str] | None = None
) -> dict[str, Hints]:
    """Read labelme JSON, a file or a folder of them.

    Polygons, circles and masks become regions, rectangles boxes (one at an angle becomes the upright box around it),
    lines scribbles, points clicks. Flags that are set become tags of the image; the other flags are unknown. The image
    is the one with the name of the JSON file. If there is none, it is the one in ``imagePath``, unless another file
    belongs to that image. The image data within the file is ignored.

    Args:
        path: The file or folder.
        images: The image files of the data set by name.
        left_out: Counts what is left out, by reason; the reader adds to it.

    Raises:
        FormatError: another structure, or two files for one image. The error names the file and the shape.
    """
    counts: Counter[str] = Counter() if left_out is None else left_out
    files = find_files(path, SUFFIXES) if path.is_dir() else {path.stem: path}
    found: dict[str, Hints] = {}
    paths: dict[str, str] = {}
    for name, file in files.items():
        top = Fields(read_json(file, max_bytes=IMAGE_BYTES), str(file))
        found[name] = _hints(name, top, counts)
        if "imagePath" in top:
            stated = PurePosixPath(name).parent / top.text("imagePath", empty=True).replace("\\", "/")
            paths[name] = stated.as_posix()
    counts += Counter()  # removes counts of 0
    stated_names = _stated(path, paths, Names(images or {}))
    return {one.image: one for name, hints in found.items() for one in [_named(hints, stated_names.get(name))]}


def _stated(path: Path, paths: Mapping[str, str], names: Names) -> dict[str, str]:
    """The image that a JSON file states, by the file's name, for files whose own name matches no image."""
    own = names.match([(path, paths)])[0]
    taken = {*own.images.values(), *own.rivals.values()}
    others = {name: image for name, image in paths.items() if name not in own.images | own.rivals}
    meant = names.match([(path, others.values())])[0].images
    stated = {name: image for name, image in others.items() if image in meant and meant[image] not in taken}
    image, count = next(iter(Counter(stated.values()).most_common(1)), ("", 0))
    if count > 1:
        files = listing(f"{name}.json" for name in stated if stated[name] == image)
        raise FormatError(f"{count} files belong to the image {image!r}: {files}", where=path, fix="keep one of them")
    return stated


def _named(hints: Hints, image: str | None) -> Hints:
    return hints if image is None else replace(hints, image=image)


def _hints(image: str, top: Fields, left_out: Counter[str]) -> Hints:
    size = _size(top)
    shapes = [shape for one in top.items("shapes") for shape in _shape(one, Path(top.where), size, left_out)]
    flags = top.value("flags") if "flags" in top else {}
    tags = frozenset(word for word, here in flags.items() if here is True) if isinstance(flags, dict) else frozenset()
    hints = Hints(
        image,
        size=size,
        shapes=tuple(shapes),
        tags=Tags(tags) if tags else None,
        source="labelme",
    )
    return set_aside(hints)


def _size(top: Fields) -> tuple[int, int] | None:
    if any(side not in top or top.value(side) is None for side in ("imageHeight", "imageWidth")):
        return None
    return top.whole("imageHeight", low=1), top.whole("imageWidth", low=1)


def _shape(fields: Fields, file: Path, size: tuple[int, int] | None, left_out: Counter[str]) -> list[Shape]:
    """The shapes of one labelme shape. One that covers nothing becomes a stroke to be ignored, and is counted."""
    name, points = fields.text("label"), tuple(fields.pairs("points"))
    kind = fields.text("shape_type") if "shape_type" in fields else "polygon"
    if kind in ("point", "points"):
        return [Click(name, x, y) for x, y in points]
    if kind in ("line", "linestrip"):
        return [Scribble(name, points)]
    if kind in ("rectangle", *TURNED):
        return _rectangle(name, kind, fields, size, left_out)
    if kind not in ("polygon", "circle", "mask"):
        known = f"polygon, rectangle, {', '.join(TURNED)}, circle, line, linestrip, point, points or mask"
        fields.refuse("shape_type", known)
    if kind != "polygon" and len(points) != 2:
        fields.refuse("points", f"two points of a {kind}")
    if kind == "mask":
        mask = _mask(name, fields, points, file)
        left_out["masks without a pixel"] += mask is None
        return [] if mask is None else [mask]
    polygon = Polygon(name, points) if kind == "polygon" else _circle(name, points[0], points[1])
    return [polygon] if has_area(polygon.ring) else _nothing(kind, points, left_out)


def _nothing(kind: str, points: Sequence[Point], left_out: Counter[str]) -> list[Shape]:
    left_out[f"shapes of type {kind} that cover nothing"] += 1
    return [thin(points)]


def _rectangle(
    name: str, kind: str, fields: Fields, size: tuple[int, int] | None, left_out: Counter[str]
) -> list[Shape]:
    """A box from two opposite corners or all four; for a rotated box the upright box around it, cut at the border."""
    points = list(fields.pairs("points"))
    if len(points) not in ((4,) if kind in TURNED else (2, 4)):
        fields.refuse("points", f"two opposite corners or four corners of a {kind}")
    (x0, x1), (y0, y1) = ((min(axis), max(axis)) for axis in zip(*points, strict=True))
    box: Box | None = Box(name, x0, y0, x1, y1)
    if not set(points) <= {(x, y) for x in (x0, x1) for y in (y0, y1)}:
        left_out[ANGLES] += 1
        box = box if size is None else cut_box(Box(name, x0, y0, x1, y1), size)
    if name == IGNORE_WORD and has_area(corners := ((x0, y0), (x1, y0), (x1, y1), (x0, y1))):
        return [Polygon(name, corners)]  # an area, because the order of areas is kept and that of boxes is not
    return [box] if box is not None and box.area > 0 else _nothing(kind, points, left_out)


def _circle(name: str, centre: Point, edge: Point) -> Polygon:
    """A regular polygon for a circle, which is given by its centre and a point on it."""
    radius = math.dist(centre, edge)
    corners = 8 if radius < 1 else math.ceil(math.pi / max(math.acos(1 - CIRCLE_ERROR / radius), math.pi / MAX_CORNERS))
    angles = [2 * math.pi * i / corners for i in range(corners)]
    return Polygon(name, tuple((centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles))


def _mask(name: str, fields: Fields, points: Sequence[Point], file: Path) -> Bitmap | None:
    """The mask from a PNG of the rectangle whose top-left pixel is the first point."""
    try:
        content = base64.b64decode(fields.text("mask"), validate=True)
    except (binascii.Error, ValueError):
        fields.refuse("mask", "a PNG in base64")
    with opened(file, ("PNG",), max_pixels=MAX_PIXELS, content=content) as image:
        if image.mode not in PIXEL_MODES:
            fields.refuse("mask", "a PNG of one channel")
        area = np.array(image) != 0
    corner = (min(x for x, _ in points), min(y for _, y in points))
    if max(map(abs, corner)) > MAX_PIXELS:
        fields.refuse("points", f"numbers up to {MAX_PIXELS}")
    return bitmap_of(name, area, x=round(corner[0]), y=round(corner[1]))
