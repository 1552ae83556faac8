"""The parts that hints are made of: what a format holds of them, and what it would lose."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from underpaint.hints.types import IGNORED, Bitmap, Hints, Polygon, Scribble

PEN = Scribble("", ()).width
"""Pen width that a scribble has where a format says nothing of it."""


class Part(StrEnum):
    """A kind of statement that a format holds or loses. The words are those of the documentation."""

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


def parts(hints: Hints) -> Counter[Part]:
    """How many statements of each part the hints of an image make; parts that do not occur are left out.

    A hole counts beside its polygon, a pen width where it is not the usual `PEN`.
    """
    areas = [region for region in hints.regions if region.name != IGNORED]
    polygons = [region for region in areas if isinstance(region, Polygon)]
    tags = hints.tags
    counts = {
        Part.CLICKS: len(hints.clicks),
        Part.SCRIBBLES: len(hints.scribbles),
        Part.WIDTHS: sum(scribble.width != PEN for scribble in hints.scribbles),
        Part.BOXES: len(hints.boxes),
        Part.BOXED: len(hints.boxed),
        Part.TAGS: len(tags.present) if tags else 0,
        Part.ABSENT: len(tags.absent) if tags else 0,
        Part.POLYGONS: len(polygons),
        Part.HOLES: sum(len(polygon.holes) for polygon in polygons),
        Part.BITMAPS: sum(isinstance(region, Bitmap) for region in areas),
        Part.IGNORED: len(hints.ignored()),
        Part.LABELS: int(hints.mask is not None),
        Part.SIZES: int(hints.size is not None),
        Part.SOURCES: int(bool(hints.source)),
        Part.SECONDS: int(hints.seconds is not None),
        Part.UNPLACED: hints.unplaced,
    }
    return Counter({part: count for part, count in counts.items() if count})
