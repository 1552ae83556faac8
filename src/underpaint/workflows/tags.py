"""Whether image tags alone can teach a network where things are, asked before the training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.doctor.balance import CONSTANT
from underpaint.hints.candidates import ImageKnowledge
from underpaint.hints.types import Hints, Kind

INSTEAD = "draw scribbles or boxes on some of the images, one or two strokes a class: seconds an image"


def check_tags(hints: Mapping[str, Hints], classes: ClassTable) -> list[str]:
    """Refuse tags that cannot work; what a person should know where they can.

    A classifier finds what tells images with a class from images without it. A class that every image shows, or that no
    image is known to lack, leaves nothing to find. Where hints on pixels stand beside the tags, nothing is asked.

    Args:
        hints: Of the training images.
        classes: The class table.

    Returns:
        Notes: classes that tags cannot place, where the others can be.

    Raises:
        DataError: no class is known to be absent anywhere, or half of the tagged classes or more are in (nearly) all
            images.
    """
    if any(hint.kinds() - {Kind.TAG} for hint in hints.values()):
        return []
    known = [ImageKnowledge.of(hint, classes) for hint in hints.values()]
    present = np.sum([each.present for each in known], axis=0)
    absent = np.sum([each.absent for each in known], axis=0)
    things = [i for i in classes.foreground if present[i]]
    if not things:
        return []
    if not absent[things].any():
        raise DataError(_without_negatives([classes.names[i] for i in things], len(hints)), where="tags", fix=_mend())
    constant = [i for i in things if present[i] >= CONSTANT * (present[i] + absent[i])]
    named = ", ".join(classes.names[i] for i in constant)
    if 2 * len(constant) >= len(things):
        raise DataError(
            f"tags alone cannot work here: {len(constant)} of {len(things)} tagged classes are in nearly every image "
            f"({named}), so that nothing tells where in the image they are",
            where="tags",
            accepted=f"classes that more than {1 - CONSTANT:.0%} of the images lack",
            fix=f"{INSTEAD}; scenes that always show the same, as streets do, cannot be learned from tags",
        )
    return [f"tags cannot place {named}: nearly every image shows it; {INSTEAD}"] if constant else []


def _without_negatives(names: list[str], images: int) -> str:
    if len(names) == 1:
        return (
            f"tags alone cannot work here: {names[0]!r} is the only class tagged, and none of the {images} images is "
            "known to lack it, so that nothing tells what makes it one"
        )
    return f"tags alone cannot work here: of no class the tags of the {images} images say that it is absent"


def _mend() -> str:
    return (
        f"say which classes the images lack (0 in a table with a column a class), add images without them; or {INSTEAD}"
    )
