"""Hints as geometry: the annotations of an image by a person or a tool, with class names and in pixel coordinates.

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
    """The kinds of hints, from the one that takes an annotator the most time to the one that takes the least."""

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
    """An open polyline, drawn with a pen that is ``width`` pixels wide; one point is a dot."""

    name: str
    points: tuple[Point, ...]
    width: float = 3.0


@dataclass(frozen=True)
class Box:
    """An axis-parallel box, half open: for integers, the pixels with x0 <= column < x1 and y0 <= row < y1."""

    name: str
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Width times height in square pixels, 0 for an empty box."""
        return max(0.0, self.x1 - self.x0) * max(0.0, self.y1 - self.y0)


@dataclass(frozen=True)
class Polygon:
    """A filled area: a closed ring of points, and the closed rings of its holes. The first point is not repeated."""

    name: str
    ring: tuple[Point, ...]
    holes: tuple[tuple[Point, ...], ...] = ()


@dataclass(frozen=True)
class Bitmap:
    """A filled area as pixels of a rectangle ``width`` x ``height``, whose top-left pixel is in column x and row y.

    ``runs`` are the alternating numbers of pixels outside and inside, row by row, outside first. Their sum is
    width * height.
    """

    name: str
    x: int
    y: int
    width: int
    height: int
    runs: tuple[int, ...]


Region = Polygon | Bitmap
"""A filled area. All its pixels have its class, and it states nothing about pixels outside."""

Shape = Click | Scribble | Box | Region
"""A shape that was drawn on an image, with the name of its class."""

_ORDER: dict[type, int] = {Click: 0, Scribble: 1, Box: 2, Polygon: 3, Bitmap: 3}
"""The order of the kinds in `Hints.shapes`."""


def _order(shape: Shape) -> int:
    return _ORDER[type(shape)]


IGNORED = classes.IGNORED
"""The name of a region with unknown pixels, which removes the labels below it. No class has this name."""


@dataclass(frozen=True)
class Tags:
    """The classes that an image shows. Nothing is known about a class in neither set.

    The classes in ``present`` occur in the image, those in ``absent`` do not. The background may be in either set. It
    is a candidate of every pixel unless it is absent.
    """

    present: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()

    @classmethod
    def complete(cls, present: frozenset[str], every: tuple[str, ...]) -> Tags:
        """Return tags in which all classes are known: those in ``present`` occur, the others of ``every`` do not."""
        return cls(present, frozenset(every) - present)


@dataclass(frozen=True)
class Hints:
    """All hints of one image.

    Args:
        image: The name of the image in the data set, without suffix, with '/' between folders.
        size: (height, width) of the upright image, if known. It must be the size of the image; hints are never resized.
        shapes: The shapes that were drawn: clicks first, then scribbles, boxes and regions, each kind in the order of
            drawing. A later region is above an earlier one, and strokes are above all regions. The constructor sorts
            the shapes in this way. A region named `IGNORED` makes its pixels unknown.
        boxed: Classes all of whose objects have a box, so that they do not occur outside their boxes.
        tags: The tags of the whole image, or None.
        mask: The path of a label file relative to the folder of the data set, or None. Its void pixels (255) remain
            unknown unless other hints label them.
        source: The person or tool that made the hints.
        seconds: The time that a person needed in seconds, if known.
        unplaced: Number of shapes that were left out without a known place. They may be anywhere in the image.
        numbering: The meanings of the numbers in the label file; None for those of the class table of the data set.
        strokes: Whether the label file labels only a small part of the pixels, so that it counts as scribbles.
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
        object.__setattr__(self, "shapes", tuple(sorted(self.shapes, key=_order)))

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
        """The filled areas including the ignored ones, the lowest first."""
        return tuple(shape for shape in self.shapes if isinstance(shape, Polygon | Bitmap))

    def kinds(self) -> frozenset[Kind]:
        """Return the kinds of hints that this image has."""
        present = {
            Kind.MASK: (self.mask is not None and not self.strokes) or any(r.name != IGNORED for r in self.regions),
            Kind.SCRIBBLE: bool(self.scribbles) or (self.mask is not None and self.strokes),
            Kind.CLICK: bool(self.clicks),
            Kind.BOX: bool(self.boxes or self.boxed),
            Kind.TAG: self.tags is not None,
        }
        return frozenset(kind for kind, here in present.items() if here)

    def states_anything(self) -> bool:
        """Whether there is any information about the image, even if only that a part of it is unknown."""
        return bool(self.kinds() or self.regions or self.unplaced)

    def drawn(self) -> list[str]:
        """Return the class of every shape in the order of `shapes`, without ignored regions."""
        return [shape.name for shape in self.shapes if shape.name != IGNORED]

    def ignored(self) -> tuple[Region, ...]:
        """Return the regions whose pixels are unknown."""
        return tuple(region for region in self.regions if region.name == IGNORED)

    def names(self) -> Iterator[str]:
        """Yield every class name that occurs in the hints, with repetitions, in a fixed order."""
        yield from self.drawn()
        yield from sorted(self.boxed)
        if self.tags is not None:
            yield from sorted(self.tags.present | self.tags.absent)
