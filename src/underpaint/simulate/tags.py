"""Simulates image tags from a mask."""

from __future__ import annotations

from underpaint.core.classes import ClassTable
from underpaint.hints.types import Hints, Tags
from underpaint.simulate.effort import USUAL
from underpaint.simulate.regions import Mask, check_mask, present


def complete_tags(mask: Mask, classes: ClassTable) -> Tags | None:
    """Tags with the classes of a mask as present and all others as absent; None if every pixel is void."""
    seen = frozenset(classes.names[label] for label in present(mask))
    return Tags.complete(seen, classes.names) if seen else None


def simulate_tags(mask: Mask, classes: ClassTable, *, image: str) -> Hints:
    """Tag an image with every class that its mask shows, however small; nothing is random.

    Args:
        mask: (H, W) class indices, 255 for void.
        classes: The table of the indices.
        image: Name of the image.

    Raises:
        DataError: a mask that is no mask of the table.
    """
    check_mask(mask, classes, image)
    return Hints(
        image=image,
        size=(mask.shape[0], mask.shape[1]),
        tags=complete_tags(mask, classes),
        source="simulated tags",
        seconds=USUAL.tags(len(classes.foreground)),
    )
