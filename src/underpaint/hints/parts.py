"""The parts of which hints consist, to state what a format can store and what would be lost."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Polygon, Scribble, Shape

PEN = Scribble("", ()).width
"""The pen width of a scribble in formats that do not state one."""


class Part(StrEnum):
    """A kind of information that a format can store or not. The texts are those of the documentation."""

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
"""The part to which each kind of shape belongs."""


def part_of(shape: Shape) -> Part:
    """Return the part to which a shape belongs. A region without a class is an ignored area."""
    return Part.IGNORED if shape.name == IGNORED else SHAPES[type(shape)]


def parts(hints: Hints) -> Counter[Part]:
    """Count how often each part occurs in the hints of an image. Parts that do not occur are left out.

    Holes are counted in addition to their polygon, and pen widths if they differ from `PEN`.
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
