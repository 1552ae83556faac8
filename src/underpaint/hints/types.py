"""Hints as geometry: what a person or a tool said of an image, with class names and in pixel coordinates.

Coordinates are continuous: x to the right, y down. The pixel in column c and row r covers [c, c+1) x [r, r+1), so a
click in the middle of the top-left pixel is (0.5, 0.5). Images are upright: EXIF orientation has been applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from underpaint.core import classes
from underpaint.core.classes import Numbering

Point = tuple[float, float]


class Kind(StrEnum):
    """The kinds of hints, from the most to the least expensive."""

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
    """A filled area: a ring of points, and the rings of its holes. The last point of a ring is joined to the first."""

    name: str
    ring: tuple[Point, ...]
    holes: tuple[tuple[Point, ...], ...] = ()


@dataclass(frozen=True)
class Bitmap:
    """A filled area as pixels of a rectangle, ``width`` x ``height``, whose top-left pixel lies in column x and row y.

    ``runs`` are lengths, row by row, of pixels outside and inside in turn, outside first. They sum to width * height.
    """

    name: str
    x: int
    y: int
    width: int
    height: int
    runs: tuple[int, ...]


Region = Polygon | Bitmap
"""Every pixel of a region is of its class. Regions say nothing of the pixels outside them."""

Shape = Click | Scribble | Box | Region
"""One thing that was drawn on an image, with the name of its class."""

_PLACES: dict[type, int] = {Click: 0, Scribble: 1, Box: 2, Polygon: 3, Bitmap: 3}
"""The place of each kind in `Hints.shapes`."""


def _place(shape: Shape) -> int:
    return _PLACES[type(shape)]


IGNORED = classes.IGNORED
"""The name of a region whose pixels are unknown, so that it takes away what lies below it. No class has this name."""


@dataclass(frozen=True)
class Tags:
    """The classes that an image shows. A class in neither set is unknown.

    The classes in ``present`` occur at least once, those in ``absent`` nowhere. The background may stand in either set,
    and is a candidate wherever it is not absent.
    """

    present: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()

    @classmethod
    def complete(cls, present: frozenset[str], every: tuple[str, ...]) -> Tags:
        """Tags for which all classes are known: those in ``present`` occur, the rest of ``every`` do not."""
        return cls(present, frozenset(every) - present)


@dataclass(frozen=True)
class Hints:
    """Everything that was said of one image.

    Args:
        image: The name of the image in the data set, without suffix, with '/' between folders.
        size: (height, width) of the upright image where known. Another size than the image's is an error, and nothing
            is ever resized to fit.
        shapes: What was drawn. Clicks come first, then scribbles, boxes and regions, each kind in the order of drawing.
            A later region lies above an earlier one, and strokes lie above all regions. `Hints` put the shapes into
            this order, so that two that say the same are equal. A region named `IGNORED` makes its pixels unknown.
        boxed: Classes of which every instance has a box here, so that they do not occur outside their boxes.
        tags: What is known of the image as a whole, or None.
        mask: The path of a label file relative to the data set's folder, or None. Its void pixels (255) stay unknown
            unless other hints label them.
        source: Who or what made the hints.
        seconds: The seconds that a person needed, where known.
        unplaced: How many shapes were left out without a known place. What no annotation covers may belong to them.
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
        """Whether anything is said of the image, even if only that a part of it is unknown."""
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
