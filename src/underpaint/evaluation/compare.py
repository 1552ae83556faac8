"""Scores a folder of masks of any origin against a split of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError, listing
from underpaint.datasets.folder import DataFolder, respelled
from underpaint.evaluation.boundary import BoundaryScores, boundary_counts, boundary_scores
from underpaint.evaluation.confusion import Counts, Mask, Scores, confusion, scores
from underpaint.imagefiles.images import find_files
from underpaint.imagefiles.masks import SUFFIXES, read_index_mask
from underpaint.imagefiles.numbering import numbering_beside

PROTOCOL = (
    "one confusion matrix over the split; void dropped; classes absent from the ground truth left out of the means"
)
"""The counting rule, for every output that shows scores."""


class ImageCounts(NamedTuple):
    """The counts of one image: ``matrix`` (C, C) of `confusion`, ``bands`` (3, C) of `boundary_counts`."""

    name: str
    matrix: Counts
    bands: Counts


@dataclass(frozen=True)
class ImageScore:
    """Scores of one image, 0..100, to find the worst predictions. Their mean over images is not the mIoU.

    Args:
        name: Name of the image.
        miou: Mean IoU over the classes in the ground truth of this image; None if all its pixels are void.
        pixel_accuracy: Fraction of its counted pixels that are correct; None if all its pixels are void.
    """

    name: str
    miou: float | None
    pixel_accuracy: float | None


@dataclass(frozen=True)
class Evaluation:
    """All scores of one folder of masks on one split.

    Args:
        classes: The class table.
        split: Name of the split.
        scores: Pooled scores.
        boundary: Pooled boundary IoU.
        matrix: The confusion matrix (C, C), row = truth, column = prediction.
        images: The scores of each image, in the order of the split.
    """

    classes: ClassTable
    split: str
    scores: Scores
    boundary: BoundaryScores
    matrix: Counts
    images: tuple[ImageScore, ...]

    def worst(self, count: int) -> tuple[ImageScore, ...]:
        """The ``count`` images with the lowest mIoU, the worst first, without images of only void pixels."""
        known = [image for image in self.images if image.miou is not None]
        return tuple(sorted(known, key=lambda image: (image.miou, image.name))[:count])

    def to_json(self) -> dict[str, Any]:
        """The evaluation as an object for JSON; scores are from 0 to 100, or null if they do not exist."""
        return {
            "split": self.split,
            "protocol": PROTOCOL,
            "miou": self.scores.miou,
            "mean_accuracy": self.scores.mean_accuracy,
            "pixel_accuracy": self.scores.pixel_accuracy,
            "boundary_iou": self.boundary.mean,
            "absent": [self.classes.names[i] for i in self.scores.absent],
            "pixels": self.scores.pixels,
            "classes": [self._class(i) for i in range(len(self.classes))],
            "confusion": self.matrix.tolist(),
            "images": [asdict(image) for image in self.images],
        }

    def _class(self, index: int) -> dict[str, Any]:
        return {
            "name": self.classes.names[index],
            "iou": self.scores.iou[index],
            "recall": self.scores.recall[index],
            "precision": self.scores.precision[index],
            "boundary_iou": self.boundary.iou[index],
            "pixels": int(self.matrix[index].sum()),
        }


def evaluate_folder(masks: Path, data: DataFolder, split: str, *, workers: int) -> Evaluation:
    """Score the masks below a folder against the ground truth of a split.

    A mask belongs to the image of the same name (path below the folder, without suffix); other files are ignored. Masks
    are read by `read_index_mask` and never resized. Classes are compared by name if the folder has a class list or the
    summary of a prediction (`numbering_beside`). A prediction may have void pixels (255) only where the ground truth is
    void.

    Args:
        masks: Folder of predicted masks.
        data: The data set.
        split: Name of the split.
        workers: Number of threads; the result does not depend on it.

    Raises:
        DataError: A prediction or a ground truth is missing, unreadable, of another size, or has values outside the
            class table; or every pixel is void.
    """
    names = data.split(split)
    data.require_masks(names)
    found = respelled(find_files(masks, SUFFIXES), data.images)
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(
            f"{len(missing)} of the {len(names)} images of split {split!r} have no predicted mask: {listing(missing)}",
            where=masks,
            accepted="a PNG, BMP or TIFF mask for each name, in the folder tree of the images",
            fix="predict the whole split, or name the split that was predicted",
        )

    numbering = numbering_beside(masks, data.classes)

    def count(name: str) -> ImageCounts:
        truth = data.mask(name).read(data.classes)
        prediction = read_index_mask(found[name], data.classes, numbering=numbering, palette=True)
        return count_image(name, truth, prediction, data.classes, where=f"{found[name]}, truth {data.mask(name).path}")

    # Threads are enough, because decoding and the filters release the lock of the interpreter.
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        return evaluation(data.classes, split, pool.map(count, names))


def evaluate_arrays(
    masks: Mapping[str, ArrayLike],
    names: Sequence[str],
    truth: Callable[[str], Mask],
    classes: ClassTable,
    split: str,
) -> Evaluation:
    """Score masks that are arrays.

    Args:
        masks: (H, W) arrays of class numbers, by image name; those of other images are ignored.
        names: The images that are scored.
        truth: Returns the (H, W) ground truth of an image, 255 for void.
        classes: The class table.
        split: A name for the images, for the result.

    Raises:
        DataError: An image has no mask, or a mask has another size or type, or values outside the class table.
    """
    missing = [name for name in names if name not in masks]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(names)} images have no predicted mask: {listing(missing)}",
            accepted="an array for every image, with the name of the image as key",
        )
    counts = (count_image(name, truth(name), as_mask(masks[name], f"mask {name}"), classes) for name in names)
    return evaluation(classes, split, counts)


def as_mask(values: ArrayLike, where: str) -> Mask:
    """Convert to (H, W) uint8. Raises `DataError` for another shape, fractions, or numbers outside 0 to 255."""
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "biu":
        raise DataError(
            f"a mask is an array of shape {array.shape} and type {array.dtype}",
            where=where,
            accepted="(height, width), whole numbers of classes",
            fix="for probabilities (C, H, W) use probabilities.argmax(axis=0)",
        )
    if array.size and not (array.min() >= 0 and array.max() <= VOID):
        numbers = f"{array.min()} to {array.max()}"
        raise DataError(f"a mask has numbers from {numbers}", where=where, accepted=f"classes, and {VOID} for void")
    return array.astype(np.uint8)


def count_image(name: str, truth: Mask, prediction: Mask, classes: ClassTable, *, where: object = None) -> ImageCounts:
    """Count one image: truth (H, W) with 255 for void, prediction (H, W). Raises `DataError` as `confusion` does."""
    size, place = len(classes), where or name
    return ImageCounts(
        name,
        confusion(truth, prediction, size, where=place),
        boundary_counts(truth, prediction, size, where=place),
    )


def evaluation(classes: ClassTable, split: str, images: Iterable[ImageCounts]) -> Evaluation:
    """Compute the scores of a split from the counts of its images. Raises `DataError` if no pixel has a class."""
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    bands = np.zeros((3, len(classes)), np.int64)
    single = []
    for image in images:
        matrix += image.matrix
        bands += image.bands
        single.append(_image_score(image))
    return Evaluation(classes, split, scores(matrix), boundary_scores(bands), matrix, tuple(single))


def _image_score(image: ImageCounts) -> ImageScore:
    if not image.matrix.any():
        return ImageScore(image.name, None, None)
    result = scores(image.matrix)
    return ImageScore(image.name, result.miou, result.pixel_accuracy)
