"""Objects from masks: each connected region of a class becomes a shape that an annotation format can store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from underpaint.annotations.format import Format
from underpaint.annotations.registry import WRITABLE, writable
from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, DataError
from underpaint.datasets.adapt import AREAS, adapt
from underpaint.datasets.folder import DataFolder
from underpaint.hints.outline import bridged
from underpaint.hints.parts import Part
from underpaint.hints.rasterise import bitmap_of, region_area
from underpaint.hints.regions import Region, bands, regions
from underpaint.hints.types import Bitmap, Box, Hints, Polygon, Shape
from underpaint.imagefiles.decode import MAX_PIXELS


@dataclass(frozen=True)
class ObjectRule:
    """The rule by which regions of a mask become objects.

    Args:
        least: Regions of fewer pixels are left out.
        fill: Holes of at most this number of pixels are filled.
        simplify: Largest distance in pixels of simplified outlines from the exact ones; 0 gives the exact ones.

    Raises:
        ConfigError: A number is out of range.
    """

    least: int = 1
    fill: int = 0
    simplify: float = 0.0

    def __post_init__(self) -> None:
        if self.least < 1 or self.fill < 0 or not 0 <= self.simplify < float("inf"):
            raise ConfigError(
                f"least {self.least}, fill {self.fill}, simplify {self.simplify}",
                where="least, fill, simplify",
                accepted="at least 1, 0 and 0",
            )


def holds_objects(form: Format) -> bool:
    """Whether a format can be written and can store an area or a box for each object."""
    return form.writer is not None and bool((AREAS | {Part.BOXES}) & form.holds)


OBJECT_FORMATS = tuple(form.name for form in WRITABLE if holds_objects(form))
"""The names of the formats in which objects can be written."""


def object_format(name: str) -> Format:
    """The format with this name. Raises `DataError`, with the names of all such formats, if it cannot store objects."""
    form = writable(name)
    if not holds_objects(form):
        raise DataError(
            f"{form.title} cannot store objects, only classes of pixels or of images",
            where=f"format {name!r}",
            accepted=", ".join(OBJECT_FORMATS),
            fix="choose one of these formats",
        )
    return form


def hints_of_regions(
    image: str, size: tuple[int, int], found: Iterable[Region], classes: ClassTable, form: Format
) -> Hints:
    """The regions of an image as shapes that a format can store: polygons with their holes, or boxes.

    A region whose parts touch only at corners becomes one object: a bitmap, or in images of more than `MAX_PIXELS` one
    ring with connecting lines of width 0. Large objects come first, so that objects in filled holes are above them.

    Args:
        image: The name of the image.
        size: (H, W).
        found: The regions, with outlines.
        classes: The class table.
        form: The format.
    """
    shapes: list[Shape] = []
    whole = size[0] * size[1] <= MAX_PIXELS
    for one in sorted(found, key=lambda region: -region.pixels):
        name = classes.names[one.label]
        if not AREAS & form.holds:
            shapes.append(Box(name, *map(float, one.box)))
            continue
        parts = one.polygons(name)
        if len(parts) == 1 and (whole or Part.HOLES in form.holds):
            shapes.append(parts[0])
        elif whole and (made := _pixels(one.box, parts, name, size)) is not None:
            shapes.append(made)
        else:
            rings = [ring for part in parts for ring in (part.ring, *part.holes)]
            shapes.append(Polygon(name, bridged(Polygon(name, rings[0], tuple(rings[1:])))))
    return adapt(Hints(image, size, tuple(shapes)), form, None)


def _pixels(
    box: tuple[int, int, int, int], parts: Iterable[Polygon], name: str, size: tuple[int, int]
) -> Bitmap | None:
    """The pixels of the parts of a region, which are inside the rectangle ``box``."""
    left, top, right, bottom = box
    area = np.zeros((bottom - top, right - left), bool)
    for part in parts:
        (rows, columns), inside = region_area(part, size)
        area[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] |= inside
    return bitmap_of(name, area, x=left, y=top)


def hints_of_masks(hints: Iterable[Hints], data: DataFolder, form: Format, rule: ObjectRule) -> dict[str, Hints]:
    """The objects in the label files of a data set, by image. The background is not an object.

    Raises:
        DataError: A label file cannot be read.
    """
    made = {}
    for one in hints:
        file = data.labels(one)
        if file is None:
            continue
        labels = file.read(data.classes, size=one.size)
        wanted = [label for label in np.unique(labels).tolist() if label in data.classes.foreground]
        found = regions(bands(labels), wanted, outlined=wanted, **asdict(rule))
        size = (labels.shape[0], labels.shape[1])
        made[one.image] = hints_of_regions(one.image, size, found, data.classes, form)
    return made
