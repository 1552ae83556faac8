"""Score a folder of masks, whoever made them, against a split of a data set."""

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
"""How the numbers were counted, for every output that shows them."""


class ImageCounts(NamedTuple):
    """What one image adds to the pool: ``matrix`` (C, C) of `confusion`, ``bands`` (3, C) of `boundary_counts`."""

    name: str
    matrix: Counts
    bands: Counts


@dataclass(frozen=True)
class ImageScore:
    """Scores of one image, 0..100, to find where a network is worst; their mean is not the mIoU.

    Args:
        name: Name of the image.
        miou: Mean IoU over the classes that this image's ground truth shows; None where all of it is void.
        pixel_accuracy: Share of its counted pixels that are right; None likewise.
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
        images: One score an image, in the order of the split.
    """

    classes: ClassTable
    split: str
    scores: Scores
    boundary: BoundaryScores
    matrix: Counts
    images: tuple[ImageScore, ...]

    def worst(self, count: int) -> tuple[ImageScore, ...]:
        """The ``count`` images with the lowest mIoU, worst first; images of void alone are left out."""
        known = [image for image in self.images if image.miou is not None]
        return tuple(sorted(known, key=lambda image: (image.miou, image.name))[:count])

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, lists and strings for ``json.dumps``; scores from 0 to 100, null where there is none."""
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

    A mask belongs to the image of the same name (path below the folder, without suffix); other files are passed over.
    Masks are read as `read_index_mask` does and never resized. Classes are compared by name, where a class list or the
    summary of a prediction lies beside the masks (`numbering_beside`). Void (255) may stand in a prediction only where
    the ground truth is void.

    Args:
        masks: Folder of predicted masks.
        data: The data set.
        split: Name of the split.
        workers: Threads that read and count; the result does not depend on it.

    Raises:
        DataError: a prediction or a ground truth is missing (with the count and the first names), unreadable, of
            another size, or has values outside the class table; or every pixel is void.
    """
    names = data.split(split)
    data.require_masks(names)
    found = respelled(find_files(masks, SUFFIXES), data.images)
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(
            f"{len(missing)} of the {len(names)} images of split {split!r} have no predicted mask: {listing(missing)}",
            where=masks,
            accepted="a PNG, BMP or TIFF mask a name, in the folder tree of the images",
            fix="predict the whole split, or name the split that was predicted",
        )

    numbering = numbering_beside(masks, data.classes)

    def count(name: str) -> ImageCounts:
        truth = data.mask(name).read(data.classes)
        prediction = read_index_mask(found[name], data.classes, numbering=numbering, palette=True)
        return count_image(name, truth, prediction, data.classes, where=f"{found[name]}, truth {data.mask(name).path}")

    # Threads are enough: decoding and the running filters let go of the interpreter's lock.
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
        masks: (H, W) arrays of class numbers, by image name; those of other images are passed over.
        names: The images that are scored.
        truth: Gives the (H, W) ground truth of an image, 255 for void.
        classes: The class table.
        split: What the images are, for the result.

    Raises:
        DataError: an image without a mask, a mask of another size or type, or values outside the class table.
    """
    missing = [name for name in names if name not in masks]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(names)} images have no predicted mask: {listing(missing)}",
            accepted="an array for every image, under the name of the image",
        )
    counts = (count_image(name, truth(name), as_mask(masks[name], f"mask {name}"), classes) for name in names)
    return evaluation(classes, split, counts)


def as_mask(values: ArrayLike, where: str) -> Mask:
    """(H, W) uint8 of the same numbers. Raises `DataError` for another shape, fractions, or numbers beyond 0 to 255."""
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "biu":
        raise DataError(
            f"a mask is an array of shape {array.shape} and type {array.dtype}",
            where=where,
            accepted="(height, width), whole numbers of classes",
            fix="of probabilities (C, H, W) take probabilities.argmax(axis=0)",
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
    """Pool the counts of a split's images into its scores. Raises `DataError` where no pixel has a class."""
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
