"""Reduces hints to the parts that a format can store, and counts what is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from underpaint.annotations.format import Format
from underpaint.core.errors import HintError
from underpaint.datasets.folder import DataFolder
from underpaint.hints.layers import visible
from underpaint.hints.outline import bridged, outline
from underpaint.hints.parts import PEN, Part, part_of, parts
from underpaint.hints.rasterise import bitmap_of, region_area
from underpaint.hints.types import IGNORED, Bitmap, Hints, Polygon, Region, Scribble, Tags

AREAS = frozenset({Part.POLYGONS, Part.BITMAPS})


@dataclass
class Losses:
    """The number of parts that a format stores unchanged, stores as pixels, and cannot store."""

    kept: Counter[Part] = field(default_factory=Counter)
    as_pixels: Counter[Part] = field(default_factory=Counter)
    lost: Counter[Part] = field(default_factory=Counter)

    def count(self, hints: Hints, form: Format) -> None:
        """Add the parts of one image."""
        for part, number in parts(hints).items():
            self.of(part, form)[part] += number

    def of(self, part: Part, form: Format) -> Counter[Part]:
        """The counter to which a part belongs."""
        if part in form.holds:
            return self.kept
        pixels = part in form.as_pixels or (part in PIXELS and bool(AREAS & (form.holds | form.as_pixels)))
        return self.as_pixels if pixels else self.lost

    def lines(self) -> list[str]:
        """The numbers of lost parts, of parts stored as pixels and of unchanged parts, as lines of text."""
        every = (("lost", self.lost), ("kept as the pixels that they cover", self.as_pixels), ("kept", self.kept))
        return [f"{what}: {', '.join(f'{n} {part}' for part, n in counts.items())}" for what, counts in every if counts]


PIXELS = frozenset({Part.LABELS, Part.HOLES, *AREAS})
"""The parts that every format with polygons or bitmaps can store as the pixels that they cover."""


def adapt(hints: Hints, form: Format, data: DataFolder | None) -> Hints:
    """Return the hints of one image with only the parts that a format can store.

    If the format has areas but no label files, a label file becomes one bitmap for each of its classes, below the other
    areas. If the format has only one form of area, bitmaps become outlines, or polygons and their holes become bitmaps.
    If it has no ignored areas, they are cut out of the areas below them: their pixels are then in no area, and thus
    unknown.

    Raises:
        HintError: A form of area needs the size of the image, which is not known.
        DataError: A label file cannot be read.
    """
    can = form.holds | form.as_pixels
    regions: tuple[Region, ...] = ()
    if AREAS & can:
        below = _label_regions(hints, data) if Part.LABELS not in can else ()
        every = (*below, *hints.regions)
        stated = every if Part.IGNORED in can else _cut_away(every, hints)
        regions = tuple(made for region in stated for made in _formed(region, hints, can))
        # If the format has no order of areas, a reader would move hidden areas above the others.
        regions = regions if form.ordered else visible(regions, hints.size)
    tags = hints.tags if Part.TAGS in can else None
    if tags is not None and Part.ABSENT not in can:
        tags = Tags(tags.present) if tags.present else None
    kept = [one for one in hints.shapes if not isinstance(one, Polygon | Bitmap) and part_of(one) in can]
    if Part.WIDTHS not in can:
        kept = [replace(one, width=PEN) if isinstance(one, Scribble) else one for one in kept]
    return Hints(
        image=hints.image,
        size=hints.size,
        shapes=(*kept, *regions),
        boxed=hints.boxed if Part.BOXED in can else frozenset(),
        tags=tags,
        mask=hints.mask if Part.LABELS in can else None,
        numbering=hints.numbering if Part.LABELS in can else None,
        strokes=hints.strokes and Part.LABELS in can,
        source=hints.source if Part.SOURCES in can else "",
        seconds=hints.seconds if Part.SECONDS in can else None,
        unplaced=hints.unplaced if Part.UNPLACED in can else 0,
    )


def _cut_away(regions: Sequence[Region], hints: Hints) -> list[Region]:
    """The regions without the ignored ones and without the pixels that these remove from the regions below them."""
    if not hints.ignored():
        return list(regions)
    if hints.size is None:
        fix = "give the data set with its images"
        raise HintError("an area is cut out in an image of unknown size", where=f"image {hints.image!r}", fix=fix)
    removed = np.zeros(hints.size, bool)
    kept: list[Region] = []
    for region in reversed(regions):
        window, area = region_area(region, hints.size)
        if region.name == IGNORED:
            removed[window] |= area
        elif not (area & removed[window]).any():
            kept.append(region)
        elif remaining := bitmap_of(region.name, area & ~removed[window], x=window[1].start, y=window[0].start):
            kept.append(remaining)
    return kept[::-1]


def _label_regions(hints: Hints, data: DataFolder | None) -> Iterator[Region]:
    """One bitmap for each class of the label file of the image, without void pixels."""
    file = None if data is None else data.labels(hints)
    if data is None or file is None:
        return
    labels = file.read(data.classes, size=hints.size)
    for label in np.unique(labels):
        made = bitmap_of(data.classes.names[label], labels == label) if label < len(data.classes) else None
        if made is not None:
            yield made


def _formed(region: Region, hints: Hints, can: frozenset[Part]) -> list[Region]:
    """One region in the forms of area that a format has."""
    if isinstance(region, Bitmap):
        shapes: list[Region] = [region] if Part.BITMAPS in can else list(outline(region))
    elif Part.POLYGONS not in can or (region.holes and Part.HOLES not in can and Part.BITMAPS in can):
        shapes = [made for made in (_pixels(region, hints),) if made is not None]
    else:
        shapes = [region]
    if Part.HOLES in can:
        return shapes
    return [Polygon(one.name, bridged(one)) if isinstance(one, Polygon) else one for one in shapes]


def _pixels(polygon: Polygon, hints: Hints) -> Bitmap | None:
    if hints.size is None:
        fix = "give the data set with its images"
        raise HintError("a polygon becomes pixels in an image of unknown size", where=f"image {hints.image!r}", fix=fix)
    (rows, columns), area = region_area(polygon, hints.size)
    return bitmap_of(polygon.name, area, x=columns.start, y=rows.start)
