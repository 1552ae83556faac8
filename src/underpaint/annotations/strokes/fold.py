"""Computes the annotations that result from all operations on an image, including deletions.

An operation that is read twice counts once. Operations are ordered by (``n``, ``id``), which is independent of the file
or machine they come from. A shape that any operation deletes does not exist; undoing a deletion adds the shape with a
new identifier. The last operation on the tags counts, and so does the last one on the state.

Operations whose shapes have not been read from their logs yet (`Head`) give the same result. Their shapes are read when
their image is requested, so that a project of 100,000 strokes opens in a second.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from underpaint.annotations.strokes.log import Head
from underpaint.annotations.strokes.operations import Add, Delete, Operation, Retag, SetState, State
from underpaint.hints.types import Hints, Shape, Tags

PAUSE = 30.0
"""Seconds. A longer time between two operations is a pause, which is not counted as work on the image."""

CACHED = 64
"""Number of images whose shapes are kept in memory."""

Entry = Operation | Head


@dataclass(frozen=True)
class Mark:
    """A shape: the identifier of the operation that added it, the person, and the time in seconds since 1970."""

    id: str
    shape: Shape
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of the operations on one image, without its shapes.

    Args:
        marks: The number of shapes by class, kind and person.
        tags, state, people, seconds: As in `Folded`.
    """

    marks: Counter[tuple[str, str, str]]
    tags: Retag | None
    state: State
    people: tuple[str, ...]
    seconds: float

    @property
    def classes(self) -> set[str]:
        """The classes that are drawn."""
        return {name for name, _, _ in self.marks}


@dataclass
class Folded:
    """The result of the operations on one image.

    Args:
        marks: The shapes, oldest first.
        tags: The last tags of the image, or None.
        state: ``marked`` or ``done``.
        people: The people who annotated the image.
        seconds: The time that people spent on it (see `Fold`).
    """

    marks: list[Mark] = field(default_factory=list)
    tags: Retag | None = None
    state: State = "marked"
    people: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def hints(self, image: str) -> Hints:
        """The hints of the image. A class that is drawn is not absent, even if an older tag states it."""
        tags = boxed = None
        drawn = {mark.shape.name for mark in self.marks}
        if self.tags is not None:
            boxed = self.tags.boxed
            present, absent = self.tags.present, self.tags.absent - drawn
            tags = Tags(present, absent) if present or absent else None
        return Hints(
            image,
            shapes=tuple(mark.shape for mark in self.marks),
            boxed=boxed or frozenset(),
            tags=tags,
            source="; ".join(self.people),
            seconds=round(self.seconds, 1) if self.seconds else None,
        )


class Fold:
    """The operations of a project, which can be added in any order and more than once.

    The seconds of an image are the sum of the times between two successive operations of one writer, of which the later
    one belongs to this image, without times longer than `PAUSE`.
    """

    def __init__(self) -> None:
        self.clock = 0
        self._known: set[str] = set()
        self._images: dict[str, dict[str, tuple[Entry, str]]] = {}
        self._places: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._folded: OrderedDict[str, Folded] = OrderedDict()
        self._summaries: dict[str, Summary] = {}
        self._seconds: dict[str, float] = {}

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._known

    def __len__(self) -> int:
        return len(self._known)

    def extend(self, operations: Iterable[Entry], by: str) -> None:
        """Add operations of one log, in the order of their time, by one person."""
        before: float | None = None
        for one in operations:
            if before is not None and 0 < one.at - before <= PAUSE and one.id not in self._known:
                self._seconds[one.image] = self._seconds.get(one.image, 0.0) + one.at - before
            before = one.at
            self._add(one, by)

    def _add(self, one: Entry, by: str) -> None:
        if one.id in self._known:
            return
        self._known.add(one.id)
        self.clock = max(self.clock, one.n)
        self._images.setdefault(one.image, {})[one.id] = (one, by)
        self._forget(one.image)
        if isinstance(one, Head) or isinstance(one.what, Add):
            self._places[one.id] = one.image
        elif isinstance(one.what, Delete):
            self._deleted.add(one.what.target)
            self._forget(self._places.get(one.what.target, ""))

    def _forget(self, image: str) -> None:
        self._folded.pop(image, None)
        self._summaries.pop(image, None)

    def images(self) -> list[str]:
        """The names of the images with operations, in alphabetical order."""
        return sorted(self._images)

    def image(self, name: str) -> Folded:
        """The result of the operations on an image.

        Raises:
            FormatError, HintError: A shape in a log is invalid, which was not noticed when its head was read.
        """
        if name not in self._folded:
            self._folded[name] = self._fold(name)
            while len(self._folded) > CACHED:
                self._folded.popitem(last=False)
        self._folded.move_to_end(name)
        return self._folded[name]

    def summary(self, name: str) -> Summary:
        """The result of the operations on an image, without reading shapes."""
        if name not in self._summaries:
            self._summaries[name] = self._summarise(name)
        return self._summaries[name]

    def _effective(self, name: str) -> Iterator[tuple[Entry, str]]:
        """The operations on an image without deleted shapes, in their order, each with its person."""
        ordered = sorted(self._images.get(name, {}).values(), key=lambda one: (one[0].n, one[0].id))
        return ((one, by) for one, by in ordered if one.id not in self._deleted or not _draws(one))

    def _about(self, name: str) -> tuple[Retag | None, State, list[str], float]:
        """The last tags, the last state, the people, and the seconds."""
        tags: Retag | None = None
        state: State = "marked"
        for one, _ in self._effective(name):
            if isinstance(one, Operation) and isinstance(one.what, Retag):
                tags = one.what
            elif isinstance(one, Operation) and isinstance(one.what, SetState):
                state = one.what.state
        people = sorted({by for _, by in self._images.get(name, {}).values()})
        return tags, state, people, self._seconds.get(name, 0.0)

    def _fold(self, name: str) -> Folded:
        tags, state, people, seconds = self._about(name)
        drawn = ((one, by, _shape(one)) for one, by in self._effective(name))
        marks = [Mark(one.id, shape, by, one.at) for one, by, shape in drawn if shape is not None]
        return Folded(marks, tags, state, people, seconds)

    def _summarise(self, name: str) -> Summary:
        tags, state, people, seconds = self._about(name)
        marks: Counter[tuple[str, str, str]] = Counter()
        for one, by in self._effective(name):
            if isinstance(one, Head):
                marks[one.name, one.kind, by] += 1
            elif (shape := _shape(one)) is not None:
                marks[shape.name, type(shape).__name__.lower(), by] += 1
        return Summary(marks, tags, state, tuple(people), seconds)


def _draws(one: Entry) -> bool:
    return isinstance(one, Head) or isinstance(one.what, Add)


def _shape(one: Entry) -> Shape | None:
    """The shape that an operation adds, or None for another operation."""
    if isinstance(one, Head):
        return one.read()
    return one.what.hint if isinstance(one.what, Add) else None
