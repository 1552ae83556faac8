"""Scores masks against ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError
from underpaint.core.paths import AnyPath, as_path
from underpaint.datasets.areas import open_with_truth, require_truth
from underpaint.evaluation.compare import Evaluation, as_mask, evaluate_arrays, evaluate_folder

Masks = AnyPath | Mapping[str, ArrayLike]


def evaluate(
    masks: Masks,
    data: Masks,
    *,
    split: str = "test",
    rest: str | None = None,
    classes: Sequence[str] | None = None,
    workers: int = 1,
) -> Evaluation:
    """Score masks of any tool against ground truth.

    Args:
        masks: Folder with a mask file for every image of the split, or (H, W) arrays of class numbers by image name.
        data: Data-set folder. If it has no masks, its annotated areas are the ground truth. Or, if ``masks`` are
            arrays, (H, W) arrays of class numbers by image name, with 255 for void.
        split: Name of the split; it is not used if ``data`` are arrays.
        rest: Class of all pixels without an annotation, if annotated areas are the ground truth.
        classes: Names of the classes in the order of their numbers, if ``data`` are arrays.
        workers: Number of threads.

    Returns:
        Pooled scores: ``.scores.miou`` and others from 0 to 100, ``.boundary``, ``.matrix``, ``.images``.

    Raises:
        DataError: A mask is missing, has another size or type, or contains an unknown class.
        ConfigError: Arguments cannot be combined.

    Example:
        >>> import numpy, underpaint
        >>> truth, mask = numpy.array([[0, 1], [1, 255]]), numpy.array([[0, 1], [0, 0]])
        >>> underpaint.evaluate({"a": mask}, {"a": truth}, classes=["ground", "cat"]).scores.miou
        50.0
    """
    if isinstance(data, Mapping):
        if not isinstance(masks, Mapping) or classes is None or rest is not None:
            accepted = "masks={name: array}, data={name: array}, classes=[...], without rest"
            raise ConfigError(
                "with arrays as ground truth, some arguments are missing or not allowed", accepted=accepted
            )
        table = ClassTable.of(tuple(classes))
        return evaluate_arrays(masks, tuple(data), lambda name: as_mask(data[name], f"truth {name}"), table, "arrays")
    if classes is not None:
        raise ConfigError("the data set has its own classes", where="classes", fix="leave it out")
    opened = open_with_truth(as_path(data, "data"), rest=rest)
    names = opened.split(split)
    require_truth(opened, names)
    if isinstance(masks, Mapping):
        return evaluate_arrays(masks, names, lambda name: opened.mask(name).read(opened.classes), opened.classes, split)
    return evaluate_folder(as_path(masks, "masks"), opened, split, workers=workers)
