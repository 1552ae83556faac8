"""The time that a person needs for each kind of hint, to compare results by annotation time.

Bearman et al., "What's the Point" (ECCV 2016) report for a VOC image with a table of 20 classes 20.0 s for tags, 22.1
s for one click per class, 34.9 s for free-form strokes and 239.7 s for full masks. We checked 22.1 s, 239.7 s, and 79 s
to outline one object against public copies of the paper; we derived the single times below from these sums.
Papadopoulos et al. (ICCV 2017) report 7 s for a box by extreme clicking, and 35 s for the usual clicks on corners (both
in their abstract).
"""

from __future__ import annotations

from collections import Counter

from pydantic import Field

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config
from underpaint.hints.types import Hints


class Effort(Config):
    """Seconds of a person's time for each kind of hint, 0 or more. Set them if you have measured other times.

    Attributes:
        tag: To decide whether an image shows a class, for each class of the table (Bearman: 20 s for 20 classes).
        click: For the first click on a class in an image (Bearman).
        next_click: For each further click (Bearman, for each further instance).
        scribble: To draw strokes on one class of an image (Bearman: 34.9 s for tags and 1.5 classes).
        box: To draw a box by extreme clicking (Papadopoulos); it is 35 s with clicks on corners.
        mask: To outline an instance (Bearman: 239.7 s for tags and 2.8 instances).
    """

    tag: float = Field(default=1.0, ge=0)
    click: float = Field(default=2.4, ge=0)
    next_click: float = Field(default=0.9, ge=0)
    scribble: float = Field(default=10.2, ge=0)
    box: float = Field(default=7.0, ge=0)
    mask: float = Field(default=79.0, ge=0)

    def tags(self, classes: int) -> float:
        """Seconds to tag one image with every class of a table of ``classes``."""
        return self.tag * classes

    def clicks(self, classes: int, clicks_a_class: list[int]) -> float:
        """Seconds to tag an image and click ``clicks_a_class[i]`` times on its i-th class."""
        return self.tags(classes) + sum(self.click + self.next_click * (count - 1) for count in clicks_a_class)

    def scribbles(self, classes: int, drawn: int, *, budget: float = 1.0) -> float:
        """Seconds to tag an image and draw strokes on ``drawn`` of its classes, ``budget`` times the usual amount."""
        return self.tags(classes) + self.scribble * drawn * budget

    def boxes(self, classes: int, boxes: int) -> float:
        """Seconds to tag an image and draw ``boxes`` boxes."""
        return self.tags(classes) + self.box * boxes

    def masks(self, classes: int, regions: int) -> float:
        """Seconds to tag an image and outline ``regions`` instances."""
        return self.tags(classes) + self.mask * regions

    def of(self, hints: Hints, classes: ClassTable, *, budget: float = 1.0) -> float | None:
        """Seconds for hints without a recorded time; None for a label file, whose number of outlines is not known.

        Every class with strokes counts ``budget`` times, independent of the number of its strokes.
        """
        if hints.mask is not None:
            return None
        clicks = Counter(click.name for click in hints.clicks)
        return (
            self.clicks(len(classes.foreground), list(clicks.values()))
            + self.scribble * budget * len({scribble.name for scribble in hints.scribbles})
            + self.box * len(hints.boxes)
            + self.mask * len(hints.regions)
        )

    def words(self) -> str:
        """The times as a text for reports."""
        first = (
            f"{self.tag:g} s per class to tag, {self.click:g} s for the first click of a class, {self.next_click:g} s "
            f"for the next, {self.scribble:g} s to scribble on a class, {self.mask:g} s to outline an object, "
            f"{self.box:g} s per box"
        )
        source = "as Bearman et al. (ECCV 2016) measured on VOC, boxes Papadopoulos et al. (2017)"
        return f"{first}; {source if self == USUAL else 'given with --seconds'}"


USUAL = Effort()
"""The published times, which simulated hints contain."""
