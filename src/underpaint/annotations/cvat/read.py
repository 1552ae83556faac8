"""Reads CVAT for images 1.1: one XML file with an element for each image, element by element."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree.ElementTree import Element

from underpaint.annotations.cvat.elements import Marked, children, images
from underpaint.annotations.parsing.sniff import is_xml
from underpaint.annotations.parsing.turned import ANGLES, ellipse, turned_box
from underpaint.core.errors import FormatError
from underpaint.hints.check import check_hints
from underpaint.hints.ignore import has_area, set_aside, thin
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Point, Polygon, Region, Scribble, Shape, Tags
from underpaint.imagefiles.decode import MAX_PIXELS
from underpaint.imagefiles.spelling import bare_names

SOURCE = "CVAT"

_CORNER = re.compile(r"[xy][tb][lr][12]")
"""The names of the attributes with a cuboid's corners."""


def is_cvat(path: Path) -> bool:
    """Whether a file looks like CVAT's XML, for images or for video."""
    return is_xml(path, "annotations")


def read_cvat(path: Path, *, left_out: Counter[str] | None = None) -> dict[str, Hints]:
    """Read an export "CVAT for images 1.1" as hints by image name, with the subset in front where the file gives one.

    Boxes stay boxes; one at an angle becomes the upright box around it. Polygons, ellipses and masks become regions in
    the order of ``z_order``, polylines scribbles, points clicks, the visible points of a skeleton clicks with the
    skeleton's label, and tags stay tags. One image is in memory at a time.

    Args:
        path: ``annotations.xml``.
        left_out: Counts what is left out, by reason; the reader adds to it.

    Raises:
        FormatError: another structure, "CVAT for video" (tracks), two images of one name, a mask whose runs do not fit
            its box, or a DTD.
        HintError: hints that contradict each other.
    """
    counts: Counter[str] = Counter() if left_out is None else left_out
    found: dict[str, Hints] = {}
    named: dict[str, None] = {}
    for number, element in enumerate(images(path)):
        hints = _hints(element, f"{path}, image {number}", counts)
        if hints.image in named:
            what, fix = f"two images have the name {hints.image!r}", "export each task by itself, or rename the images"
            raise FormatError(what, where=f"{path}, image {number}", accepted="each name once", fix=fix)
        named[hints.image] = None
        if hints.states_anything():
            found[hints.image] = hints
    bare = bare_names(named)
    return {bare[file]: replace(hints, image=bare[file]) for file, hints in found.items()}


def declared_classes(path: Path) -> tuple[str, ...]:
    """The labels in the file's ``<meta>`` in its order, without repeats. Raises `FormatError` as `read_cvat`."""
    for element in children(path):
        if element.tag == "meta":
            names = (name.text for label in element.iter("label") for name in label.findall("name"))
            return tuple(dict.fromkeys(name.strip() for name in names if name and name.strip()))
    return ()


@dataclass
class _Drawn:
    """The shapes and tags of one image that were read so far. Each shape has a ``z_order``, 0 except for regions."""

    size: tuple[int, int]
    left_out: Counter[str]
    shapes: list[tuple[int, Shape]] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    unplaced: int = 0

    def set_aside(self, reason: str, points: Sequence[Point]) -> None:
        """Leave out and count a shape that covers nothing. The pixels along its points are ignored."""
        self.left_out[reason] += 1
        self.add(thin(points))

    def add(self, *shapes: Shape) -> None:
        self.shapes += [(0, shape) for shape in shapes]

    def add_region(self, region: Region, shape: Marked) -> None:
        self.shapes.append((shape.whole("z_order") if shape.element.get("z_order") else 0, region))


def _hints(element: Element, where: str, left_out: Counter[str]) -> Hints:
    image = Marked(element, where)
    size = (image.whole("height"), image.whole("width"))
    if not (min(size) >= 1 and size[0] * size[1] <= MAX_PIXELS):
        raise FormatError(f"the image has {size[1]} x {size[0]} pixels", where=where, accepted=f"1 to {MAX_PIXELS}")
    drawn = _Drawn(size, left_out)
    for number, child in enumerate(element):
        reader = _SHAPES.get(child.tag)
        if reader is None:
            left_out[f"elements {child.tag[:20]!r}"] += 1
            drawn.unplaced += 1
        else:
            reader(drawn, Marked(child, f"{where}, <{child.tag}> {number}"))
    hints = Hints(
        image=_name(image),
        size=size,
        shapes=tuple(shape for _, shape in sorted(drawn.shapes, key=lambda pair: pair[0])),
        tags=Tags(frozenset(drawn.present)) if drawn.present else None,
        source=SOURCE,
        unplaced=drawn.unplaced,
    )
    hints = set_aside(hints)
    check_hints(hints, None, where)
    return hints


def _name(image: Marked) -> str:
    """The name of the image after its subset. It is only compared with other names, never opened as a path."""
    name, subset = image.text("name"), image.element.get("subset")
    return f"{subset}/{name}" if subset else name


def _box(drawn: _Drawn, shape: Marked) -> None:
    flat = Box(shape.text("label"), *(shape.number(side) for side in ("xtl", "ytl", "xbr", "ybr")))
    centre = ((flat.x0 + flat.x1) / 2, (flat.y0 + flat.y1) / 2)
    box = turned_box(flat, centre, shape.angle(), drawn.size)
    if not (flat.area > 0 and box.area > 0):
        drawn.set_aside("boxes without area in the image", ((flat.x0, flat.y0), (flat.x1, flat.y1)))
        return
    if shape.angle() % 90 != 0:
        drawn.left_out[ANGLES] += 1
    drawn.add(box)


def _polygon(drawn: _Drawn, shape: Marked) -> None:
    ring = shape.points()
    if not has_area(ring):
        drawn.set_aside("polygons that cover nothing", ring)
    else:
        drawn.add_region(Polygon(shape.text("label"), ring), shape)


def _polyline(drawn: _Drawn, shape: Marked) -> None:
    drawn.add(Scribble(shape.text("label"), shape.points()))


def _points(drawn: _Drawn, shape: Marked) -> None:
    drawn.add(*(Click(shape.text("label"), x, y) for x, y in shape.points()))


def _skeleton(drawn: _Drawn, shape: Marked) -> None:
    """The visible points of a skeleton; ``outside`` marks a point that is not in the image."""
    visible = (Marked(point, shape.where) for point in shape.element.findall("points") if point.get("outside") != "1")
    drawn.add(*(Click(shape.text("label"), x, y) for point in visible for x, y in point.points()))


def _ellipse(drawn: _Drawn, shape: Marked) -> None:
    centre, radii = (shape.number("cx"), shape.number("cy")), (shape.number("rx"), shape.number("ry"))
    region = ellipse(shape.text("label"), centre, radii, shape.angle(), drawn.size) if min(radii) > 0 else None
    if region is None:
        drawn.set_aside("ellipses without area in the image", (centre,))
    else:
        drawn.add_region(region, shape)


def _mask(drawn: _Drawn, shape: Marked) -> None:
    """Run lengths row by row within the mask's own box, outside first."""
    x, y, width, height = (shape.whole(key) for key in ("left", "top", "width", "height"))
    if min(x, y) < 0 or min(width, height) < 1 or x + width > drawn.size[1] or y + height > drawn.size[0]:
        what = f"a mask of {width} x {height} pixels at left {x}, top {y}"
        raise FormatError(what, where=shape.where, accepted=f"within the image, {drawn.size[1]} x {drawn.size[0]}")
    drawn.add_region(Bitmap(shape.text("label"), x, y, width, height, shape.runs(width * height)), shape)


def _cuboid(drawn: _Drawn, shape: Marked) -> None:
    """A cuboid is left out, and the box around its eight corners is ignored."""
    xs, ys = (
        [shape.number(key) for key in shape.element.attrib if _CORNER.fullmatch(key) and key[0] == axis]
        for axis in "xy"
    )
    drawn.left_out["elements 'cuboid'"] += 1
    if xs and ys:
        drawn.add(Box(IGNORED, min(xs), min(ys), max(xs), max(ys)))
    else:
        drawn.unplaced += 1


def _tag(drawn: _Drawn, shape: Marked) -> None:
    drawn.present.add(shape.text("label"))


_SHAPES: dict[str, Callable[[_Drawn, Marked], None]] = {
    "box": _box,
    "polygon": _polygon,
    "polyline": _polyline,
    "points": _points,
    "skeleton": _skeleton,
    "ellipse": _ellipse,
    "mask": _mask,
    "cuboid": _cuboid,
    "tag": _tag,
}
