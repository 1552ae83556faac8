"""How many of their pixels label images label: full masks, painted strokes, or nothing at all."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import numpy as np

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError
from underpaint.imagefiles.masks import LabelFile

LOOKED_AT = 32
"""How many files are decoded first, spread over the folder. They are enough to tell what the folder holds. The other
files are checked when they are used."""

SPARSE = 0.2
"""A label image with a smaller share of labelled pixels counts as scribbles. People's strokes label about 3 % of an
image (ScribbleSup on PASCAL VOC) and broad brushes about 10 %, while masks label nearly all of it."""


def hold_strokes(files: Mapping[str, LabelFile], classes: ClassTable) -> bool:
    """Whether the label images of one folder are painted strokes: half of them or more label less than `SPARSE`.

    The folder is decided as a whole. Among full masks there are always some that are nearly all void: of the 591 masks
    of MSRC-21, 14 label less than a fifth of their image.

    `LOOKED_AT` files are decoded; all of them where none of these labels a pixel.

    Raises:
        DataError: a file cannot be read, or no file has a pixel with a class.
    """
    some = list(files)[:: -(-len(files) // LOOKED_AT) or 1]
    shares = [_share(files[name], classes) for name in some]
    if any(shares):
        return statistics.median(shares) < SPARSE
    shares = [_share(file, classes) for file in files.values()]
    if files and not any(shares):
        first = next(iter(files.values()))
        raise DataError(
            f"no pixel of any label image has a class: all {len(files)} are void ({VOID}) throughout",
            where=first.path.parent,
            fix=f"draw in them, and leave {VOID} only where nothing is known",
        )
    return bool(files)


def _share(file: LabelFile, classes: ClassTable) -> float:
    return float(np.mean(file.read(classes) != VOID))
