"""Determines whether label images are full masks or painted strokes, by the fraction of labelled pixels."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import numpy as np

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError
from underpaint.imagefiles.masks import LabelFile

EXAMINED = 32
"""Number of files that are decoded first, spread over the folder. The other files are checked when they are used."""

SPARSE = 0.2
"""A label image with a smaller fraction of labelled pixels counts as scribbles. Strokes label about 3 % of an image
(ScribbleSup on PASCAL VOC) and broad brushes about 10 %, while masks label nearly all pixels."""


def hold_strokes(files: Mapping[str, LabelFile], classes: ClassTable) -> bool:
    """Whether the label images of one folder are painted strokes: half of them or more label less than `SPARSE`.

    The median decides for the whole folder, because some full masks are nearly all void: of the 591 masks of MSRC-21,
    14 label less than a fifth of their image. `EXAMINED` files are decoded, or all if none of these labels a pixel.

    Raises:
        DataError: A file cannot be read, or no file has a pixel with a class.
    """
    some = list(files)[:: -(-len(files) // EXAMINED) or 1]
    shares = [_share(files[name], classes) for name in some]
    if any(shares):
        return statistics.median(shares) < SPARSE
    shares = [_share(file, classes) for file in files.values()]
    if files and not any(shares):
        first = next(iter(files.values()))
        raise DataError(
            f"no pixel of any label image has a class: all {len(files)} have only void pixels ({VOID})",
            where=first.path.parent,
            fix=f"draw in them, and leave {VOID} only for unknown pixels",
        )
    return bool(files)


def _share(file: LabelFile, classes: ClassTable) -> float:
    return float(np.mean(file.read(classes) != VOID))
