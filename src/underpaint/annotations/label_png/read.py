"""Reads a folder of label images in which 255 is unknown: hints drawn as pixels, partial masks, or full masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from underpaint.annotations.parsing.sniff import files_of
from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError
from underpaint.core.paths import real
from underpaint.hints.types import Hints
from underpaint.imagefiles.decode import MAX_PIXELS, opened
from underpaint.imagefiles.images import find_files
from underpaint.imagefiles.mask_names import by_image
from underpaint.imagefiles.masks import EXAMINED, FORMATS, SUFFIXES, LabelFile, hold_strokes
from underpaint.imagefiles.numbering import numbering_beside

ANNOTATIONS = frozenset({".json", ".geojson"})
"""Endings of annotation files. In a folder with such files, pictures are images and not label images."""


def is_label_folder(path: Path) -> bool:
    """Whether a folder holds pictures of a lossless format, and no annotation files that belong to them."""
    return path.is_dir() and bool(files_of(path, SUFFIXES)) and not files_of(path, ANNOTATIONS)


def read_label_images(
    folder: Path,
    classes: ClassTable,
    root: Path,
    images: Collection[str] = (),
    *,
    lenient: bool = False,
    left_out: Counter[str] | None = None,
) -> dict[str, Hints]:
    """Refer to every label image of a folder by its path, relative to ``root`` where it lies below, else absolute.

    The numbers are those of the class list in the folder, if there is one; see `numbering_beside`. Images that label
    few pixels count as scribbles; see `hold_strokes`.

    Args:
        folder: A folder of PNG, BMP or TIFF files as `read_index_mask` reads them, named like the images.
        classes: The class table.
        root: The data set's folder.
        images: The names of its images. A label image may have such a name with a mark (``x_mask``).
        lenient: Leave the pixels of classes that the table does not have unknown, instead of raising.
        left_out: Counts what is left out, by reason; the reader adds to it.

    Raises:
        DataError: there are no label images, numbers outside the table, or only the grey values 0 and 255, in which 255
            would be the object.
    """
    found = find_files(folder, SUFFIXES)
    if not found:
        raise DataError("no label images found", where=folder, accepted=", ".join(sorted(SUFFIXES)))
    found = by_image(found, images)
    numbering = numbering_beside(folder, classes)
    unknown = set(numbering.names()) - set(classes.names) if numbering is not None and lenient else set()
    if numbering is not None and unknown:
        numbering = numbering.without(unknown)
        if left_out is not None:
            words = ", ".join(sorted(unknown))
            left_out[f"classes of {numbering.source} that are not in the data set: {words}"] = len(unknown)
    files = {name: LabelFile(file, stated=True, numbering=numbering) for name, file in found.items()}
    _refuse_two_valued(files, folder, classes)
    strokes = hold_strokes(files, classes)
    return {
        name: Hints(name, mask=_refer(file, root), source="label images", numbering=numbering, strokes=strokes)
        for name, file in found.items()
    }


def _refuse_two_valued(files: Mapping[str, LabelFile], folder: Path, classes: ClassTable) -> None:
    some = list(files.values())[:: -(-len(files) // EXAMINED)]
    if not all(_is_grey(file.path) for file in some):
        return
    values = {int(v) for file in some for v in np.unique(file.read(classes))}
    if values == {0, VOID}:
        raise DataError(
            f"the label images have only the grey values 0 and {VOID} ({len(some)} of {len(files)} were examined)",
            where=folder,
            fix=f"write the class number of the object (1, 2, ...) and {VOID} for unknown pixels; or, if black and "
            "white are classes, state these colours in classes.txt ('cell 255 255 255')",
        )


def _is_grey(file: Path) -> bool:
    with opened(file, FORMATS, max_pixels=MAX_PIXELS) as image:
        return image.mode != "P"


def _refer(file: Path, root: Path) -> str:
    file, root = real(file), real(root)
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
