"""The parts that hints are made of, to say what a format holds of them and what it would lose."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Polygon, Scribble, Shape

PEN = Scribble("", ()).width
"""The pen width of a scribble where a format does not state one."""


class Part(StrEnum):
    """One kind of statement that a format holds or loses. The words are those of the documentation."""

    CLICKS = "clicks"
    SCRIBBLES = "scribbles"
    WIDTHS = "pen widths"
    BOXES = "boxes"
    BOXED = "completely boxed classes"
    TAGS = "tags"
    ABSENT = "absent classes"
    POLYGONS = "polygons"
    HOLES = "holes"
    BITMAPS = "bitmaps"
    IGNORED = "ignored areas"
    LABELS = "label files"
    SIZES = "image sizes"
    SOURCES = "sources"
    SECONDS = "seconds"
    UNPLACED = "left-out shapes of unknown place"


SHAPES: dict[type, Part] = {
    Click: Part.CLICKS,
    Scribble: Part.SCRIBBLES,
    Box: Part.BOXES,
    Polygon: Part.POLYGONS,
    Bitmap: Part.BITMAPS,
}
"""The part that each kind of shape belongs to."""


def part_of(shape: Shape) -> Part:
    """The part that a shape belongs to. A region without a class is an ignored area."""
    return Part.IGNORED if shape.name == IGNORED else SHAPES[type(shape)]


def parts(hints: Hints) -> Counter[Part]:
    """How many statements of each part the hints of an image make. Parts that do not occur are left out.

    Holes are counted beside their polygon, and pen widths where they differ from `PEN`.
    """
    drawn = Counter(part_of(shape) for shape in hints.shapes)
    tags = hints.tags
    stated = {
        Part.WIDTHS: sum(scribble.width != PEN for scribble in hints.scribbles),
        Part.HOLES: sum(
            len(area.holes) for area in hints.regions if isinstance(area, Polygon) and area.name != IGNORED
        ),
        Part.BOXED: len(hints.boxed),
        Part.TAGS: len(tags.present) if tags else 0,
        Part.ABSENT: len(tags.absent) if tags else 0,
        Part.LABELS: int(hints.mask is not None),
        Part.SIZES: int(hints.size is not None),
        Part.SOURCES: int(bool(hints.source)),
        Part.SECONDS: int(hints.seconds is not None),
        Part.UNPLACED: hints.unplaced,
    }
    counts = drawn + Counter(stated)
    return Counter({part: counts[part] for part in Part if counts[part]})
