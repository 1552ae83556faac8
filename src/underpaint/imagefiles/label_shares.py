"""How much of their pixels label images label: full masks, painted strokes, or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError
from underpaint.imagefiles.masks import LabelFile

LOOKED_AT = 32
"""Files that are decoded at first, spread over the folder: enough to tell what is in it, at once for any folder. The
others are read, and refused where they are wrong, when they are used."""

SPARSE = 0.2
"""Share of labelled pixels below which a label image counts as scribbles: people's strokes label about 3 % of a
photograph (ScribbleSup's on PASCAL VOC) and broad brushes some 10 %, while masks label nearly all of it."""


def stroke_images(files: Mapping[str, LabelFile], classes: ClassTable) -> frozenset[str]:
    """The label images that hold painted strokes, by `SPARSE`.

    `LOOKED_AT` files are decoded; all of them where these differ, or where none of them labels a pixel.

    Raises:
        DataError: a file that cannot be read, or no pixel of any file with a class.
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
