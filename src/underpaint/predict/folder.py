"""Prediction of a folder of images. Names, folders and sizes are kept; a file is written completely or not at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from underpaint.core.classes import ClassTable
from underpaint.core.digest import files_digest, fingerprint
from underpaint.core.errors import ConfigError, DataError
from underpaint.imagefiles.rule import COLOUR, InputImage, ReadingRule
from underpaint.predict.bounds import Bound
from underpaint.predict.large import Spool, predict_rows, weights_digest
from underpaint.predict.predictor import Pixels, Predictor
from underpaint.predict.probabilities import (
    large_probabilities,
    probability_files,
    write_large_probabilities,
    write_probabilities,
)
from underpaint.predict.results import Results, Wanted
from underpaint.predict.targets import mask_path, open_output
from underpaint.predict.task import Answer, Pool, Task, answers, pixels_digest
from underpaint.predict.writing import Summary, write_masks

Bounds = Callable[[str, tuple[int, int]], Bound | None]
"""Returns the classes that hints allow in an image, from its name and (H, W), or None if it has no hints."""


def unbounded(name: str, size: tuple[int, int]) -> None:
    """For images without hints: returns None."""


def predict_folder(
    predictor: Predictor,
    images: Path,
    out: Path,
    classes: ClassTable,
    *,
    by: str = "a call of predict_folder",
    rule: ReadingRule = COLOUR,
    probabilities: bool = False,
    bounds: Bounds = unbounded,
    wanted: Wanted | None = None,
    resume: bool = False,
    pool: Pool | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    on_rows: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a mask for every image, with the image's name and upright size.

    ``OUT/NAME.png`` is a palette PNG; NAME is the path of the image below ``images`` without its suffix.
    ``OUT/summary.csv`` has the share of every class in every image (`summary_csv`) and is written last. With
    ``probabilities``, ``OUT/probabilities/NAME.npz`` contains ``probabilities`` (C, ceil(H/4), ceil(W/4)) float16,
    ``size`` (H, W) and ``classes``, and can be read with `numpy.load` without pickle. The probabilities are stored at a
    quarter of the size, because the outputs of networks are not finer, and because this limits memory to C H W / 8
    bytes.

    Every call predicts all images, unless ``resume`` is set. A file of an earlier prediction is replaced in one step.
    An output folder that contains other files is refused before the prediction (`Output`). No file is deleted: the
    masks of images that were removed after an earlier call remain.

    Args:
        predictor: Network and settings.
        images: An image, a folder of images at any depth, or a data set, whose images are used.
        out: The output folder; it is made if it is missing.
        classes: The network's classes.
        by: Name of the caller, for the record of the output folder.
        rule: Bands and windows of the training. Without windows, images of more than 8 bits are read with percentiles
            over these images.
        probabilities: Also store probabilities.
        bounds: Returns the classes that hints allow in an image, from its name and (H, W).
        wanted: Pictures, measures and polygons to write beside the masks.
        resume: Take the masks and probabilities of an earlier call as they are, if the pixels of the image, its hints,
            the network and the settings are the same; for an image that is too large to be read as a whole, if its file
            is the same.
        pool: Predicts images in other processes, in the order in which they come; None for this process.
        on_progress: Called with (done, total), first with done = 0.
        on_rows: Called with (done, total) rows of tiles of each image that is too large to be read as a whole.

    Returns:
        The number of masks that were written, and the images that were skipped because they cannot be read.

    Raises:
        DataError: There are no images; the output folder lies among them, contains files that no prediction wrote or
            masks of other classes, or is removed during the prediction; output names collide, would replace an image,
            or lie outside the output folder; or a file cannot be written. Files that were written before remain.
        ConfigError: The number of classes differs from the network's.
    """
    if len(classes) != predictor.classes:
        raise ConfigError(f"{len(classes)} classes for a network of {predictor.classes}", where="classes")
    found, output = open_output(images, out, holds="masks", by=by, of=of_classes(classes))
    results = Results(output, classes, wanted or Wanted())
    weights = weights_digest(predictor.network)
    settings = fingerprint(weights, predictor.config.model_dump(mode="json"), probabilities)
    stamps: dict[str, str] = {}

    def task(name: str, rgb: Pixels) -> Task:
        bound = bounds(name, (rgb.shape[0], rgb.shape[1]))
        stamps[name] = fingerprint(settings, pixels_digest(rgb, bound))
        mask = mask_path(output.root, name, found[name])
        files = (mask, *(probability_files(output.root, name, found[name]) if probabilities else ()))
        kept = resume and all(output.made(path, stamps[name]) for path in files)
        return Task(rgb, bound, probabilities, mask if kept else None)

    def index(name: str, answer: Answer) -> Pixels:
        rgb, labels, coarse = answer
        if coarse is not None:
            path = found[name]
            write_probabilities(output, name, path, coarse, labels.shape, classes, made_from=stamps[name])
        results.see(name, rgb, labels)
        return labels

    def large(name: str, image: InputImage, path: Path) -> Spool:
        if bounds(name, image.size) is not None:
            raise DataError("hints do not bound the masks of images of this size", fix="predict it without --hints")
        stamps[name] = stamp = fingerprint(settings, files_digest([image.path]), str(image.windows))
        spool = Spool(path, image.size, predictor.classes if probabilities else 0)
        mask, coarse = mask_path(output.root, name, image.path), large_probabilities(output.root, name, image.about)
        if resume and output.made(mask, stamp) and (not probabilities or output.made_whole(coarse, stamp)):
            results.see_large(image, name, spool.copy(mask))
            return spool
        labels = predict_rows(predictor, image, spool, stamp=stamp, on_rows=on_rows or unheard)
        results.see_large(image, name, labels)
        if probabilities:
            write_large_probabilities(output, name, image.about, spool.probabilities(), classes, made_from=stamp)
        return spool

    return write_masks(
        found,
        output,
        classes,
        index,
        on_progress,
        rule=rule,
        prepared=partial(answers, predictor, task, pool),
        stamp=lambda name: stamps.pop(name, ""),
        predict_large=large,
        on_mask=results.add,
        at_end=results.finish,
    )


def unheard(done: int, total: int) -> None:
    """For calls that nobody watches."""


def of_classes(classes: ClassTable) -> str:
    """The classes of a folder of masks, for its record, so that masks of two class tables are not mixed in a folder."""
    return f"the classes {', '.join(classes.names)}"
