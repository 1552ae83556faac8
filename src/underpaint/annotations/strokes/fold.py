"""Folds operations: what is left of them when deletions and later statements are taken into account.

The operations are a set. One that is read twice counts once. The order is that of (``n``, ``id``), which is the same
whatever file or machine an operation comes from. A shape that any operation deletes is gone, and undoing a deletion
adds the shape under a new identifier. Of the tags and of the state the last statement counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from underpaint.annotations.strokes.operations import Add, Delete, Operation, Retag, SetState, State
from underpaint.hints.types import Hints, Shape, Tags

PAUSE = 30.0
"""Seconds: a longer time between two operations is a pause, and no time spent on the image."""


@dataclass(frozen=True)
class Mark:
    """A shape that is there: the operation that added it, who did, and when (seconds since 1970)."""

    id: str
    shape: Shape
    by: str
    at: float


@dataclass
class Folded:
    """What is left of the operations on one image.

    Args:
        marks: The shapes, oldest first.
        tags: The last statement about the whole image, or None.
        state: ``marked`` or ``done``.
        people: Who said something of the image.
        seconds: The time that people spent on it (see `Fold`).
    """

    marks: list[Mark] = field(default_factory=list)
    tags: Retag | None = None
    state: State = "marked"
    people: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def hints(self, image: str) -> Hints:
        """The hints of the image. A class that is drawn is not absent, whatever an older tag says."""
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
    """The operations of a project, which can be added in any order and any number of times.

    The seconds of an image are the times between operations of one writer, each counted for the image of the later
    operation, without times longer than `PAUSE`.
    """

    def __init__(self) -> None:
        self.clock = 0
        self._known: set[str] = set()
        self._images: dict[str, dict[str, tuple[Operation, str]]] = {}
        self._places: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._folded: dict[str, Folded] = {}
        self._seconds: dict[str, float] = {}

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._known

    def __len__(self) -> int:
        return len(self._known)

    def extend(self, operations: Iterable[Operation], by: str) -> None:
        """Add operations of one log, in the order of their time, by one person."""
        before: float | None = None
        for one in operations:
            if before is not None and 0 < one.at - before <= PAUSE and one.id not in self._known:
                self._seconds[one.image] = self._seconds.get(one.image, 0.0) + one.at - before
            before = one.at
            self._add(one, by)

    def _add(self, one: Operation, by: str) -> None:
        if one.id in self._known:
            return
        self._known.add(one.id)
        self.clock = max(self.clock, one.n)
        self._images.setdefault(one.image, {})[one.id] = (one, by)
        self._folded.pop(one.image, None)
        if isinstance(one.what, Delete):
            self._deleted.add(one.what.target)
            self._folded.pop(self._places.get(one.what.target, ""), None)
        elif isinstance(one.what, Add):
            self._places[one.id] = one.image

    def images(self) -> list[str]:
        """The names of the images of which something was said, in alphabetical order."""
        return sorted(self._images)

    def image(self, name: str) -> Folded:
        """What is left of the operations on an image."""
        if name not in self._folded:
            self._folded[name] = self._fold(name)
        return self._folded[name]

    def _fold(self, name: str) -> Folded:
        folded = Folded(seconds=self._seconds.get(name, 0.0))
        ordered = sorted(self._images.get(name, {}).values(), key=lambda one: (one[0].n, one[0].id))
        for one, by in ordered:
            if by not in folded.people:
                folded.people.append(by)
            if isinstance(one.what, Add) and one.id not in self._deleted:
                folded.marks.append(Mark(one.id, one.what.hint, by, one.at))
            elif isinstance(one.what, Retag):
                folded.tags = one.what
            elif isinstance(one.what, SetState):
                folded.state = one.what.state
        folded.people.sort()
        return folded
