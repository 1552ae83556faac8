"""Whether any hint says what lies outside the objects that a person drew."""

from __future__ import annotations

from underpaint.core.classes import ClassTable
from underpaint.doctor.findings import Finding, Level
from underpaint.hints.rasterise import region_pixels
from underpaint.hints.types import IGNORED, Hints

COVERED = {True: 0.9, False: 0.5}
"""Share of the images that drawn areas must cover to count as labels of the whole image, with a background class in
the table and without. Without one, areas that cover half are taken for partial labels of scenes, not for objects."""


class Rest:
    """Looks for a hint that shows the background, or says that the objects are complete.

    Without one, the network learns objects alone, and paints the whole of every image with them.
    """

    def __init__(self, classes: ClassTable) -> None:
        self.background = None if classes.background is None else classes.names[classes.background]
        self.shown, self.complete = False, False
        self.filled, self.marked = 0, 0
        self._drawn, self._pixels = 0, 0

    def add(self, hints: Hints) -> None:
        """Take in the hints of one image."""
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
        """Whether some hint, or areas that cover nearly all, say what lies outside the objects."""
        covered = self._drawn >= COVERED[self.background is not None] * self._pixels > 0
        return self.shown or self.complete or covered

    def findings(self) -> list[Finding]:
        """One finding where objects alone are shown, else none."""
        if self.known or not (self.filled or self.marked):
            return []
        if self.background is None:
            return [] if self.marked else [self._without_class()]
        return [self._without_hint(self.background)]

    def _without_hint(self, background: str) -> Finding:
        ways = [f"draw a stroke on the {background} of some images"]
        if self.filled:
            ways.insert(0, f"add --rest {background}, which takes all that no annotation covers as {background}")
        return Finding(
            "rest-unknown",
            Level.WARNS,
            f"no hint shows {background}: the objects will flood the picture",
            "the annotations show objects alone, and what no annotation covers stays unknown",
            f"{'; or '.join(ways)}. If every pixel is of one of the other classes, leave {background} out of the "
            "class list",
            self.filled or self.marked,
        )

    def _without_class(self) -> Finding:
        return Finding(
            "rest-unknown",
            Level.WARNS,
            "nothing says what lies outside the areas and boxes: the objects will flood the picture",
            "the class list has no background, and what no annotation covers stays unknown",
            "add the class background to the class list, then add --rest background, or draw a stroke on the "
            "background of some images. If every pixel is of one of the classes, all is well",
            self.filled,
        )
