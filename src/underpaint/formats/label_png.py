"""A folder of label images in which 255 is unknown: hints drawn as pixels, partial masks, or full ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from underpaint.core.atomic import atomic_folder, within
from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError, HintError
from underpaint.core.inside import real
from underpaint.formats.decode import MAX_PIXELS, opened
from underpaint.formats.images import find_files
from underpaint.formats.masks import FORMATS, SUFFIXES, read_index_mask, write_index_mask
from underpaint.formats.sniff import files_of
from underpaint.hints.rasterise import Mask, numbered, paint_regions, paint_seeds
from underpaint.hints.types import Hints

LOOKED_AT = 32
"""Files that are decoded here, spread over the folder: enough to tell what the numbers mean, at once for any folder.
The others are read, and refused where they are wrong, when they are used."""


BESIDE = frozenset({".json", ".geojson"})
"""Endings of annotation files that lie beside photographs; in a folder with those, pictures are no label images."""


def is_label_folder(path: Path) -> bool:
    """Whether a folder holds pictures of a lossless format, and no annotation files that belong to them."""
    return path.is_dir() and bool(files_of(path, SUFFIXES)) and not files_of(path, BESIDE)


def read_label_images(folder: Path, classes: ClassTable, root: Path) -> dict[str, Hints]:
    """Refer to every label image of a folder by its path: relative to ``root`` where it lies below, else absolute.

    Args:
        folder: PNG, BMP or TIFF files as `read_index_mask` takes them, named like the images.
        classes: The class table.
        root: The data set's folder.

    Raises:
        DataError: no label images, numbers outside the table, or grey images of nothing but 0 and 255, in which 255
            would be the object.
    """
    files = find_files(folder, SUFFIXES)
    if not files:
        raise DataError("no label images found", where=folder, accepted=", ".join(sorted(SUFFIXES)))
    some = list(files.values())[:: -(-len(files) // LOOKED_AT)]
    values = {int(v) for file in some for v in np.unique(read_index_mask(file, classes, void_stated=True))}
    if values == {0, VOID} and all(_is_grey(file) for file in some):
        raise DataError(
            f"the label images hold the grey values 0 and {VOID} alone ({len(some)} of {len(files)} were looked at)",
            where=folder,
            fix=f"write the object as its class number (1, 2, ...) and {VOID} where nothing is known",
        )
    return {name: Hints(image=name, mask=_refer(file, root), source="label images") for name, file in files.items()}


def write_label_images(path: Path, hints: Sequence[Hints], classes: ClassTable, root: Path) -> None:
    """Write a folder of palette PNGs and the ``classes.txt`` that goes with their numbers.

    Areas, strokes and clicks become the pixels that they label; a pixel that none of them labels is 255, unknown.

    Args:
        path: The folder; an older one is replaced at the end, whole.
        hints: Of the images, each of known size.
        classes: The class table.
        root: The folder to which `Hints.mask` is relative.

    Raises:
        HintError: an image of unknown size, or an unknown class.
        DataError: a label file that cannot be read, or of another size; the disk refuses.
    """
    with atomic_folder(path) as folder:
        lines = (f"{name} {r} {g} {b}\n" for name, (r, g, b) in zip(classes.names, classes.colours, strict=True))
        (folder / "classes.txt").write_text("".join(lines), encoding="utf-8")
        for one in hints:
            write_index_mask(within(folder, f"{one.image}.png"), _painted(one, classes, root), classes)


def _painted(hints: Hints, classes: ClassTable, root: Path) -> Mask:
    """(H, W) class indices of all that labels single pixels, as training sees them."""
    where = f"hints of image {hints.image!r}"
    if hints.size is None:
        fix = "give the data set with its photographs"
        raise HintError("label images need the size of the image", where=where, fix=fix)
    held = read_index_mask(root / hints.mask, classes, size=hints.size, void_stated=True) if hints.mask else None
    strokes = [(one.name, np.array(one.points, np.float64), one.width) for one in hints.scribbles]
    strokes += [(one.name, np.array([(one.x, one.y)], np.float64), 0.0) for one in hints.clicks]
    labelled = [(classes.index(name, where), points, width) for name, points, width in strokes]
    return paint_seeds(labelled, hints.size, paint_regions(numbered(hints.regions, classes, where), hints.size, held))


def _is_grey(file: Path) -> bool:
    with opened(file, FORMATS, max_pixels=MAX_PIXELS) as image:
        return image.mode != "P"


def _refer(file: Path, root: Path) -> str:
    file, root = real(file), real(root)
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
