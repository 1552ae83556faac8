"""Writes a folder of label images: areas, strokes and clicks become the pixels that they label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from underpaint.annotations.format import Labels
from underpaint.core.atomic import atomic_folder, within
from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.hints.rasterise import Mask, numbered, paint_regions, paint_seeds
from underpaint.hints.types import Hints
from underpaint.imagefiles.masks import write_index_mask


def write_label_images(path: Path, hints: Sequence[Hints], classes: ClassTable, labels: Labels | None) -> None:
    """Write a folder of palette PNGs, and the ``classes.txt`` that explains their numbers.

    Areas, strokes and clicks become the pixels that they label. A pixel that none of them labels is 255, unknown.

    Args:
        path: The folder. An older one is replaced as a whole at the end.
        hints: The hints of each image, whose size must be known.
        classes: The class table.
        labels: Gives the label file to which hints refer, or None where there is no data set.

    Raises:
        HintError: an image of unknown size, or an unknown class.
        DataError: a label file cannot be read or has another size, or writing fails.
    """
    with atomic_folder(path) as folder:
        lines = (f"{name} {r} {g} {b}\n" for name, (r, g, b) in zip(classes.names, classes.colours, strict=True))
        (folder / "classes.txt").write_text("".join(lines), encoding="utf-8")
        for one in hints:
            write_index_mask(within(folder, f"{one.image}.png"), _painted(one, classes, labels), classes)


def _painted(hints: Hints, classes: ClassTable, labels: Labels | None) -> Mask:
    """(H, W) class indices of everything that labels single pixels, as training uses it."""
    where = f"hints of image {hints.image!r}"
    if hints.size is None:
        fix = "give the data set with its images"
        raise HintError("label images need the size of the image", where=where, fix=fix)
    if hints.mask is not None and labels is None:
        raise HintError("the hints refer to a label file of a data set", where=where, fix="give that data set's folder")
    file = labels(hints) if labels is not None else None
    stored = None if file is None else file.read(classes, size=hints.size, stated=True)
    strokes = [(one.name, np.array(one.points, np.float64), one.width) for one in hints.scribbles]
    strokes += [(one.name, np.array([(one.x, one.y)], np.float64), 0.0) for one in hints.clicks]
    labelled = [(classes.index(name, where), points, width) for name, points, width in strokes]
    return paint_seeds(labelled, hints.size, paint_regions(numbered(hints.regions, classes, where), hints.size, stored))
