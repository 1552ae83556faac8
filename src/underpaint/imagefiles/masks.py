"""Mask files with one class index per pixel, 255 for void. Colours are used only if a class list states them."""

from __future__ import annotations

import io
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from underpaint.core.atomic import write_atomic
from underpaint.core.classes import VOID, ClassTable, Numbering
from underpaint.core.digest import files_digest, fingerprint
from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import MAX_PIXELS, Pixels, opened, orientation_of
from underpaint.imagefiles.mask_numbers import Key, by_number, voc_palette
from underpaint.imagefiles.mask_values import indices
from underpaint.imagefiles.numbering import numbering_beside

__all__ = [
    "EXAMINED",
    "FORMATS",
    "SPARSE",
    "SUFFIXES",
    "LabelFile",
    "hold_strokes",
    "labels_digest",
    "mask_size",
    "read_index_mask",
    "size_error",
    "voc_palette",
    "write_index_mask",
]

FORMATS = ("PNG", "BMP", "TIFF")
"""Lossless formats only: JPEG and WebP change the numbers at every class border."""

SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff"})

EXAMINED = 32
"""Number of files that are decoded first, spread over the folder. The other files are checked when they are used."""

SPARSE = 0.2
"""A label image with a smaller fraction of labelled pixels counts as scribbles. Strokes label about 3 % of an image
(ScribbleSup on PASCAL VOC) and broad brushes about 10 %, while masks label nearly all pixels."""


def read_index_mask(
    path: Path,
    classes: ClassTable,
    *,
    numbering: Numbering | None = None,
    size: tuple[int, int] | None = None,
    void_stated: bool = False,
    palette: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Pixels:
    """Read a mask as class indices. A mask is never resized and never rotated.

    Accepted are palette images (by index), grey index images of 8 bits and of 16 bits (65535 is void), grey images
    whose values are colours of a class table that has white, and RGB images whose colours are all in the class table.
    Transparent pixels of a colour image are unknown. EXIF orientation is not applied, unlike in `read_rgb`: programs
    draw masks on the upright image, and if a program copied the image's EXIF tag into the mask, applying it would
    rotate the mask twice.

    Args:
        path: A PNG, BMP or TIFF file.
        classes: The class table of the result.
        numbering: The meanings of the numbers in the file; classes are matched to the table by name. With None a class
            list in the folder of the file is used, or the numbers of the table if there is no list.
        size: (H, W) of the upright image, if the mask must have this size.
        void_stated: Whether 255 is known to be void, so that a grey mask of 0 and 255 is not ambiguous.
        palette: Refuse a palette that has the default colours of the table in another order, if no list states the
            meanings of the numbers. This is meant for label images that are not masks of the data set. If a class list
            states colours, a palette with these colours in another order always determines the classes.
        max_pixels: The limit of width times height.

    Returns:
        (H, W) class indices, 255 for void.

    Raises:
        DataError: The file cannot be read, has numbers or colours outside the table, is ambiguous between 0 and 255, or
            has another size.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        if image.format == "TIFF" and orientation_of(image) != 1:
            # Pillow applies this tag, unlike those of other formats.
            raise DataError("the TIFF mask has an orientation tag", where=path, fix="save it upright, without the tag")
        if size is not None and (image.height, image.width) != size:
            raise size_error(path, (image.height, image.width), size)
        numbering = numbering or numbering_beside(path.parent, classes, outside=False)
        return indices(image, path, Key.of(classes, numbering, palette=palette), void_stated=void_stated)


@dataclass(frozen=True)
class LabelFile:
    """A label file and how to read it.

    Args:
        path: The file.
        stated: Whether 255 is known to be void, as in label images that are hints; see `read_index_mask`.
        numbering: The meanings of the numbers; None if they are those of the class table.
    """

    path: Path
    stated: bool = False
    numbering: Numbering | None = None

    def read(self, classes: ClassTable, *, size: tuple[int, int] | None = None, stated: bool = False) -> Pixels:
        """(H, W) class indices of the table, 255 for void; as `read_index_mask`."""
        return read_index_mask(
            self.path,
            classes,
            numbering=self.numbering,
            size=size,
            void_stated=self.stated or stated,
            palette=self.stated,
        )


def labels_digest(files: Iterable[LabelFile], classes: ClassTable) -> str:
    """A fingerprint of the contents of label files and of the meanings of their numbers."""
    every = list(files)
    lists = {
        parent: numbering_beside(parent, classes, outside=False) for parent in {file.path.parent for file in every}
    }
    numberings = [file.numbering or lists[file.path.parent] for file in every]
    meanings = [None if one is None else str((one.meanings, one.others)) for one in numberings]
    return fingerprint(
        files_digest(file.path for file in every), meanings, classes.names, classes.colours, classes.background
    )


def mask_size(path: Path) -> tuple[int, int]:
    """The size (H, W) of a mask file from its header. Raises `DataError` as `read_index_mask` does."""
    with opened(path, FORMATS, max_pixels=MAX_PIXELS) as image:
        return image.height, image.width


def size_error(path: Path, found: tuple[int, int], size: tuple[int, int], *, also: int = 0) -> DataError:
    """The error for a mask of the size ``found`` whose image has ``size``; ``also`` counts other such masks."""
    fix = "masks are never resized: export the mask again at the size of its image"
    if found == (size[1], size[0]):
        fix = "the sides are swapped, as if the mask was drawn before the image's EXIF rotation: rotate the mask"
    what = f"the mask has {found[0]} rows and {found[1]} columns, its image {size[0]} and {size[1]}"
    return DataError(f"{what}; {also} more masks differ from their images" if also else what, where=path, fix=fix)


def write_index_mask(path: Path, index: Pixels, classes: ClassTable) -> None:
    """Write the bytes of `index_mask_png` to a file, either completely or not at all.

    Args:
        path: The file, with the suffix .png. An older file is replaced at the end.
        index: (H, W) class indices, 255 for void.
        classes: The table to which the indices belong.

    Raises:
        DataError: as `index_mask_png`, or the file cannot be written.
    """
    write_atomic(path, index_mask_png(path, index, classes))


def index_mask_png(path: Path, index: Pixels, classes: ClassTable) -> bytes:
    """A mask as the bytes of a palette PNG with the table's colours. The arguments are those of `write_index_mask`.

    Raises:
        DataError: The mask is not (H, W) uint8, or has an index outside the table. The error names ``path``.
    """
    if index.ndim != 2 or index.dtype != np.uint8 or index.size == 0:
        what = f"the mask is an array of {index.dtype} with shape {index.shape}"
        raise DataError(what, where=path, accepted="(H, W) uint8")
    image = Image.fromarray(by_number(index, path, Key.of(classes, None)))
    image.putpalette(classes.flat_palette())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


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
