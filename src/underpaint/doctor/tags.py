"""Checks whether a network can learn the positions of classes from image tags alone.

A classifier learns the differences between images with a class and images without it. If nearly every image shows a
class, or no image is known to be without it, there is no such difference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from underpaint.core.classes import ClassTable
from underpaint.doctor.findings import Finding, Group, Level

CONSTANT = 0.95
"""A tag that at least this fraction of the images with known tags has is nearly constant. A classifier then learns to
give always the same answer, which is right in 19 of 20 images."""

INSTEAD = "draw scribbles or boxes on some of the images, one or two strokes per class, which takes seconds per image"


def tag_findings(images: npt.NDArray[np.int64], negatives: npt.NDArray[np.int64], classes: ClassTable) -> list[Finding]:
    """The findings for a training on tags alone.

    Args:
        images: (C,) the number of images that are tagged with each class.
        negatives: (C,) the number of images that are known to be without it.
        classes: The class table; its background is not examined.

    Returns:
        One blocking finding if no class is known to be absent anywhere, or if at least half of the tagged classes are
        in nearly all images; one warning if fewer classes are; otherwise none.
    """
    things = [i for i in classes.foreground if images[i]]
    constant = [i for i in things if images[i] >= CONSTANT * (images[i] + negatives[i])]
    if not constant:
        return []
    if not negatives[things].any():
        return _without_negatives([classes.names[i] for i in things])
    many = 2 * len(constant) >= len(things)
    return Group.of(classes.names[i] for i in constant).finding(
        "class-nearly-constant",
        Level.BLOCKS if many else Level.WARNS,
        f"tags alone cannot work here: nearly every image shows {len(constant)} of the {len(things)} tagged classes"
        if many
        else f"tags cannot show the positions of {{n}} of the {len(things)} tagged classes, which nearly every image "
        "shows",
        cause="nothing shows where in the image they are; the scene is always the same, or the images were selected by "
        "the class",
        fix=f"add images without them; or {INSTEAD}",
    )


def _without_negatives(names: Sequence[str]) -> list[Finding]:
    return Group.of(names).finding(
        "class-no-negatives",
        Level.BLOCKS,
        "tags alone cannot work here: no image is known to lack any of the {n} tagged classes",
        cause="every image shows them, or the tags name only the classes that are present",
        fix="state which classes are absent (0 in a table with a column per class), or add images without them; or "
        + INSTEAD,
    )
