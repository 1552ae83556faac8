"""Hints as geometry: what a person or a tool said of an image, with class names and in pixel coordinates.

Coordinates are continuous: x to the right, y down, the pixel in column c and row r covers [c, c+1) x [r, r+1).
A click in the middle of the top-left pixel is (0.5, 0.5). Images are upright: EXIF orientation has been applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from underpaint.core import classes
from underpaint.core.classes import Numbering

Point = tuple[float, float]


class Kind(StrEnum):
    """The kinds of hints, from the dearest to the cheapest."""

    MASK = "masks"
    SCRIBBLE = "scribbles"
    CLICK = "clicks"
    BOX = "boxes"
    TAG = "tags"


@dataclass(frozen=True)
class Click:
    """One labelled point (x, y)."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Scribble:
    """An open polyline drawn with a pen ``width`` pixels wide; one point is a dot."""

    name: str
    points: tuple[Point, ...]
    width: float = 3.0


@dataclass(frozen=True)
class Box:
    """An axis-parallel box, half open: pixels with x0 <= column < x1 and y0 <= row < y1 for whole numbers."""

    name: str
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Width times height in pixels, 0 for an empty box."""
        return max(0.0, self.x1 - self.x0) * max(0.0, self.y1 - self.y0)


@dataclass(frozen=True)
class Polygon:
    """A filled area: a ring of points and the rings of its holes. The last point of a ring joins the first."""

    name: str
    ring: tuple[Point, ...]
    holes: tuple[tuple[Point, ...], ...] = ()


@dataclass(frozen=True)
class Bitmap:
    """A filled area as pixels of a rectangle, ``width`` x ``height`` with its top-left pixel in column x and row y.

    ``runs`` are lengths row by row, of pixels outside and inside in turn, outside first; they sum to width * height.
    """

    name: str
    x: int
    y: int
    width: int
    height: int
    runs: tuple[int, ...]


Region = Polygon | Bitmap
"""Every pixel of a region is of its class. Of pixels outside all regions nothing is said."""

Shape = Click | Scribble | Box | Region
"""One thing that was drawn on an image, with the name of its class."""

_PLACES: dict[type, int] = {Click: 0, Scribble: 1, Box: 2, Polygon: 3, Bitmap: 3}
"""The place of each kind in `Hints.shapes`."""


def _place(shape: Shape) -> int:
    return _PLACES[type(shape)]


IGNORED = classes.IGNORED
"""The name of a region whose pixels are unknown: it takes away what lies below it. No class has this name."""


@dataclass(frozen=True)
class Tags:
    """Which classes the image shows. A class in neither set is unknown.

    ``present`` occur at least once, ``absent`` nowhere. A class table's background may stand in either,
    and is a candidate wherever it is not absent.
    """

    present: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()

    @classmethod
    def complete(cls, present: frozenset[str], every: tuple[str, ...]) -> Tags:
        """All classes are known: those in ``present`` occur, the rest of ``every`` do not."""
        return cls(present, frozenset(every) - present)


@dataclass(frozen=True)
class Hints:
    """Everything that was said of one image.

    Args:
        image: Name of the image in the data set, without suffix, '/' between folders.
        size: (height, width) of the upright image where known; a size that differs from the image's is an error, never
            a reason to resize.
        shapes: What was drawn. Clicks come first, then scribbles, boxes and regions, each kind in the order of drawing:
            a later region lies above an earlier one, and how kinds lie above each other is fixed (strokes above
            regions). They are put into this order when `Hints` are made, so that equal hints are equal objects. A
            region that is named `IGNORED` makes its pixels unknown.
        boxed: Classes whose every instance is boxed here, so that outside their boxes they do not occur.
        tags: What is known of the image as a whole, or None.
        mask: Path of a label file relative to the data set's folder, or None. Its void pixels (255) stay unknown where
            other hints or nothing speak of them.
        source: Who or what made the hints.
        seconds: Seconds of a person's time, where known.
        unplaced: Shapes that were left out and of which nobody knows where they lay, so that what no annotation covers
            may be theirs.
        numbering: What the numbers in the label file stand for; None for those of the data set's class table.
        strokes: The label file labels a small share of the pixels, as painted strokes do, and counts as scribbles.
    """

    image: str
    size: tuple[int, int] | None = None
    shapes: tuple[Shape, ...] = ()
    boxed: frozenset[str] = frozenset()
    tags: Tags | None = None
    mask: str | None = None
    source: str = ""
    seconds: float | None = field(default=None)
    unplaced: int = 0
    numbering: Numbering | None = None
    strokes: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "shapes", tuple(sorted(self.shapes, key=_place)))

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The labelled points."""
        return tuple(shape for shape in self.shapes if isinstance(shape, Click))

    @property
    def scribbles(self) -> tuple[Scribble, ...]:
        """The strokes."""
        return tuple(shape for shape in self.shapes if isinstance(shape, Scribble))

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes."""
        return tuple(shape for shape in self.shapes if isinstance(shape, Box))

    @property
    def regions(self) -> tuple[Region, ...]:
        """The filled areas, ignored ones among them, the lowest first."""
        return tuple(shape for shape in self.shapes if isinstance(shape, Polygon | Bitmap))

    def kinds(self) -> frozenset[Kind]:
        """The kinds of hints that this image carries."""
        present = {
            Kind.MASK: (self.mask is not None and not self.strokes) or any(r.name != IGNORED for r in self.regions),
            Kind.SCRIBBLE: bool(self.scribbles) or (self.mask is not None and self.strokes),
            Kind.CLICK: bool(self.clicks),
            Kind.BOX: bool(self.boxes or self.boxed),
            Kind.TAG: self.tags is not None,
        }
        return frozenset(kind for kind, here in present.items() if here)

    def says(self) -> bool:
        """Whether anything is said of the image, be it that a part of it is not known."""
        return bool(self.kinds() or self.regions or self.unplaced)

    def drawn(self) -> list[str]:
        """The class of every shape, in the order of `shapes`; ignored regions have none."""
        return [shape.name for shape in self.shapes if shape.name != IGNORED]

    def ignored(self) -> tuple[Region, ...]:
        """The regions whose pixels are unknown."""
        return tuple(region for region in self.regions if region.name == IGNORED)

    def names(self) -> Iterator[str]:
        """Every class name that is mentioned, with repeats, in a fixed order."""
        yield from self.drawn()
        yield from sorted(self.boxed)
        if self.tags is not None:
            yield from sorted(self.tags.present | self.tags.absent)
