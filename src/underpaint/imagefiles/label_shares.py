"""How many of their pixels label images label: full masks, painted strokes, or nothing at all."""

from __future__ import annotations

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


def stroke_images(files: Mapping[str, LabelFile], classes: ClassTable) -> frozenset[str]:
    """The label images that hold painted strokes, judged by `SPARSE`.

    `LOOKED_AT` files are decoded. All files are decoded where these differ, or where none of them labels a pixel.

    Raises:
        DataError: a file cannot be read, or no file has a pixel with a class.
    """
    some = list(files)[:: -(-len(files) // LOOKED_AT) or 1]
    shares = {name: _share(files[name], classes) for name in some}
    sparse = sum(share < SPARSE for share in shares.values())
    if 0 < sparse < len(some) or not any(shares.values()):
        shares |= {name: _share(file, classes) for name, file in files.items() if name not in shares}
    if files and not any(shares.values()):
        first = next(iter(files.values()))
        raise DataError(
            f"no pixel of any label image has a class: all {len(files)} are void ({VOID}) throughout",
            where=first.path.parent,
            fix=f"draw in them, and leave {VOID} only where nothing is known",
        )
    if len(shares) < len(files):
        return frozenset(files) if sparse else frozenset()
    return frozenset(name for name, share in shares.items() if share < SPARSE)


def _share(file: LabelFile, classes: ClassTable) -> float:
    return float(np.mean(file.read(classes) != VOID))
