"""Checks whether some hint shows the background, or states that all objects are annotated."""

from __future__ import annotations

from underpaint.core.classes import ClassTable
from underpaint.doctor.findings import Finding, Level
from underpaint.hints.rasterise import region_pixels
from underpaint.hints.types import IGNORED, Hints

COVERED = {True: 0.9, False: 0.5}
"""Areas that cover at least this fraction of the images count as labels of the whole image, with and without a
background class in the table. Without a background class, areas that cover half of the images are probably partial
labels of scenes and not objects."""


class BackgroundCheck:
    """Searches for a hint that shows the background, or that states that all objects are annotated.

    If there is none, the network only learns objects, and predicts objects in all pixels of every image.
    """

    def __init__(self, classes: ClassTable) -> None:
        self.background = None if classes.background is None else classes.names[classes.background]
        self.shown, self.complete = False, False
        self.filled, self.marked = 0, 0
        self._drawn, self._pixels = 0, 0

    def add(self, hints: Hints) -> None:
        """Add the hints of one image."""
        absent = hints.tags.absent if hints.tags is not None else frozenset()
        self.shown = self.shown or hints.mask is not None or self.background in hints.drawn()
        self.complete = self.complete or bool(hints.boxed) or self.background in absent
        self.filled += bool(hints.boxes or hints.regions)
        self.marked += bool(hints.scribbles or hints.clicks)
        if hints.size is not None:
            self._pixels += hints.size[0] * hints.size[1]
            self._drawn += sum(region_pixels(region) for region in hints.regions if region.name != IGNORED)

    @property
    def known(self) -> bool:
        """Whether a hint, or areas that cover nearly all pixels, show the pixels outside the objects."""
        covered = self._drawn >= COVERED[self.background is not None] * self._pixels > 0
        return self.shown or self.complete or covered

    def findings(self) -> list[Finding]:
        """One finding if the hints show only objects, else none."""
        if self.known or not (self.filled or self.marked):
            return []
        if self.background is None:
            return [] if self.marked else [self._without_class()]
        return [self._without_hint(self.background)]

    def _without_hint(self, background: str) -> Finding:
        ways = [f"draw a stroke on the {background} of some images"]
        if self.filled:
            ways.insert(0, f"add --rest {background}, so that all pixels without an annotation are {background}")
        return Finding(
            "rest-unknown",
            Level.WARNS,
            f"no hint shows {background}: the masks will contain only objects",
            "the annotations show only objects, and pixels without an annotation are unknown",
            f"{'; or '.join(ways)}. If every pixel has one of the other classes, remove {background} from the "
            "class list",
            self.filled or self.marked,
        )

    def _without_class(self) -> Finding:
        return Finding(
            "rest-unknown",
            Level.WARNS,
            "no hint shows the pixels outside the areas and boxes: the masks will contain only objects",
            "the class list has no background, and pixels without an annotation are unknown",
            "add the class background to the class list, then add --rest background, or draw a stroke on the "
            "background of some images. If every pixel has one of the classes, nothing needs to be done",
            self.filled,
        )
