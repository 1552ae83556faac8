"""How long a person takes for each kind of hint, so that results can be set against annotation time.

Bearman et al., "What's the Point" (ECCV 2016) report for a VOC image of 20 classes 20.0 s for tags, 22.1 s for one
click a class, 34.9 s for free-form strokes and 239.7 s for full masks. Checked against public copies: 22.1, 239.7, and
79 s to outline one object; how the sums divide into the single times below is a reconstruction. Papadopoulos et al.
(ICCV 2017) report 7 s a box by extreme clicking, where the usual corners take 35 s (both in their abstract).
"""

from __future__ import annotations

SOURCES = (
    "simulated hints and masks cost what Bearman et al. (ECCV 2016) measured on VOC: 1 s a class to tag, 2.4 s for the "
    "first click of a class, 10.2 s to scribble on one, 79 s to outline an object; 7 s a box (Papadopoulos et al. 2017)"
)
"""In words, for reports."""

TAG = 1.0
"""Seconds to say whether an image shows a class, for each class of the table (Bearman: 20 s for 20 classes)."""

FIRST_CLICK = 2.4
"""Seconds for the first click of a class in an image (Bearman)."""

NEXT_CLICK = 0.9
"""Seconds for each further instance of that class (Bearman)."""

SCRIBBLE = 10.2
"""Seconds of drawing for each class of an image (Bearman: 34.9 s for tags and 1.5 classes)."""

BOX = 7.0
"""Seconds a box by extreme clicking (Papadopoulos)."""

MASK = 79.0
"""Seconds to outline an instance (Bearman: 239.7 s for tags and 2.8 instances)."""


def tag_seconds(classes: int) -> float:
    """Seconds to tag one image with every class of a table of ``classes``."""
    return TAG * classes


def click_seconds(classes: int, clicks_a_class: list[int]) -> float:
    """Seconds to tag an image and click ``clicks_a_class[i]`` times on its i-th class."""
    return tag_seconds(classes) + sum(FIRST_CLICK + NEXT_CLICK * (count - 1) for count in clicks_a_class)


def scribble_seconds(classes: int, drawn: int, *, budget: float = 1.0) -> float:
    """Seconds to tag an image and scribble on ``drawn`` of its classes, ``budget`` times as much as people do."""
    return tag_seconds(classes) + SCRIBBLE * drawn * budget


def box_seconds(classes: int, boxes: int) -> float:
    """Seconds to tag an image and draw ``boxes`` boxes."""
    return tag_seconds(classes) + BOX * boxes


def mask_seconds(classes: int, regions: int) -> float:
    """Seconds to tag an image and outline ``regions`` instances."""
    return tag_seconds(classes) + MASK * regions
