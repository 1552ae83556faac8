"""Whether image tags alone can teach a network where things are.

A classifier finds what tells images with a class from images without it. A class that nearly every image shows, or that
no image is known to lack, leaves nothing to find.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from underpaint.core.classes import ClassTable
from underpaint.doctor.findings import Finding, Group, Level

CONSTANT = 0.95
"""Share of the images with known tags from which on a tag is nearly constant: of 100 images 5 or fewer differ, so that
always saying the same is right 19 times of 20, and a classifier learns just that."""

INSTEAD = "draw scribbles or boxes on some of the images, one or two strokes a class: seconds an image"


def tag_findings(images: npt.NDArray[np.int64], negatives: npt.NDArray[np.int64], classes: ClassTable) -> list[Finding]:
    """What blocks a training on tags alone, or else the classes that tags cannot place.

    Args:
        images: (C,) images that are tagged with each class.
        negatives: (C,) images that are known to lack it.
        classes: The class table; of its background nothing is asked.

    Returns:
        One finding that blocks where no class is known to be absent anywhere, or where half of the tagged classes or
        more are in nearly all images; one that warns where fewer are; none where all is well.
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
        else f"tags cannot place {{n}} of the {len(things)} tagged classes, which nearly every image shows",
        cause="nothing tells where in the image they are; the scene is always the same, or the images were chosen by "
        "the class",
        fix=f"add images without them; or {INSTEAD}",
    )


def _without_negatives(names: Sequence[str]) -> list[Finding]:
    return Group.of(names).finding(
        "class-no-negatives",
        Level.BLOCKS,
        "tags alone cannot work here: no image is known to lack any of the {n} tagged classes",
        cause="every image shows them, or the tags name only what is there",
        fix="say which classes the images lack (0 in a table with a column a class), add images without them; or "
        + INSTEAD,
    )
