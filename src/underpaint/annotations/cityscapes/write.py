"""Regions as the label images of Cityscapes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from underpaint.annotations.cityscapes.read import CLASSES, LABEL_IDS, PHOTOGRAPHS
from underpaint.core.atomic import atomic_folder, within
from underpaint.core.errors import HintError
from underpaint.hints.check import check_hints
from underpaint.hints.rasterise import numbered, paint_regions
from underpaint.hints.types import Hints
from underpaint.imagefiles.decode import Pixels

UNLABELED = 0
"""The label id of pixels that no region covers; it is void in the benchmark."""


def write_cityscapes(path: Path, hints: Iterable[Hints]) -> None:
    """Write ``gtFine/IMAGE_gtFine_labelIds.png`` and ``..._labelTrainIds.png`` for each image that has regions.

    Regions are written as their pixels, of two that overlap the later one; what none covers is unlabeled. Left out is
    all else: clicks, scribbles, boxes, tags, mask files, seconds and the source.

    Args:
        path: The folder; an older one under this name is replaced at the end.
        hints: Hints of one image each, of the classes of Cityscapes; ``_leftImg8bit`` is taken off the image's name.

    Raises:
        HintError: an image given twice or of unknown size, another class, or hints that contradict themselves.
        DataError: a name leads out of the folder, or the disk refuses. Nothing is left behind.
    """
    ids = np.full(256, UNLABELED, np.uint8)
    ids[: len(CLASSES)] = LABEL_IDS
    with atomic_folder(path) as folder:
        for one in hints:
            if not one.regions:
                continue
            labels = _labels(one, f"{path}: image {one.image!r}")
            frame = f"gtFine/{one.image.removesuffix(f'_{PHOTOGRAPHS}')}_gtFine"
            for kind, pixels in (("labelIds", ids[labels]), ("labelTrainIds", labels)):
                file = within(folder, f"{frame}_{kind}.png")
                if file.exists():
                    raise HintError(f"the image {one.image!r} is given twice", where=path)
                file.write_bytes(_png(pixels))


def _labels(hints: Hints, where: str) -> Pixels:
    """The train ids (H, W), 255 where no region lies."""
    check_hints(hints, None, where)
    if hints.size is None:
        raise HintError("the size of the image is not known", where=where, fix="give the data set's photographs")
    return paint_regions(numbered(hints.regions, CLASSES, where), hints.size)


def _png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
