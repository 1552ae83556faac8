"""Scores a run on a split with up to four ways of inference, whose results are reported separately."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from underpaint.core.atomic import atomic_folder, within, write_atomic
from underpaint.core.digest import READING_PACKAGES, code_digest, file_digest, files_digest, fingerprint
from underpaint.datasets.areas import truth_digest
from underpaint.datasets.folder import DataFolder
from underpaint.evaluation.compare import Evaluation, ImageCounts, count_image, evaluation
from underpaint.export import choose_forward
from underpaint.imagefiles.masks import write_index_mask
from underpaint.imagefiles.rule import read_image
from underpaint.predict import PredictConfig, Predictor
from underpaint.predict.sharpen import sharpened
from underpaint.workflows.run import Run

SINGLE = "one scale"
"""The way of inference by which runs are compared."""

SCALES = (0.75, 1.0, 1.5)
"""Scales of test-time augmentation; the network was trained on objects of these sizes."""

FOUR = (SINGLE, "scales and flips", "CRF", "scales, flips and CRF")

ONE_PASS, AUGMENTED = PredictConfig(), PredictConfig(scales=SCALES, flip=True)

SCORING_CODE = (
    *READING_PACKAGES, "records.py", "kernels", "models", "predict", "export", "evaluation", "workflows/scoring.py"
)  # fmt: skip
"""The code that decides the counts, in addition to the weights."""

log = logging.getLogger(__name__)

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scored:
    """The scores of one run on one split.

    Args:
        evaluation: Scores of the prediction at one scale.
        others: mIoU (0 to 100) of the other ways of inference by name; empty if they were not scored.
    """

    evaluation: Evaluation
    others: Mapping[str, float]


def score_run(run: Run, data: DataFolder, split: str, masks: Path, kept: Path, *, four: bool) -> Scored:
    """Predict and score a split, and keep the masks of the prediction at one scale.

    The stored counts are used again unless something that they depend on has changed (weights, names, images, truth,
    class table, code), or masks are missing.

    Args:
        run: A complete run.
        data: The data set, with masks for the split.
        split: Name of the split.
        masks: Folder for the index masks of the prediction at one scale; it contains only those of the split.
        kept: File for the counts (npz), from which all scores are computed.
        four: Whether to score also with test-time augmentation and with a CRF, which takes about ten times as long.

    Raises:
        DataError: There is no such split, or an image or mask is missing or cannot be read.
    """
    names = data.split(split)
    data.require_masks(names)
    stamp = _stamp(run, data, names)
    ways = FOUR if four else FOUR[:1]
    counts = _read(kept, stamp, ways)
    if counts is None or not all((masks / f"{name}.png").is_file() for name in names):
        with atomic_folder(masks) as folder:
            counts = _counted(run, data, names, folder, ways)
            kept.unlink(missing_ok=True)  # older counts do not belong to the new masks
        _write(kept, stamp, counts)
    single, *rest = (_evaluation(data, split, names, counts[way]) for way in ways)
    return Scored(single, {way: result.scores.miou for way, result in zip(ways[1:], rest, strict=True)})


def _stamp(run: Run, data: DataFolder, names: tuple[str, ...]) -> str:
    """A fingerprint of everything that the counts of these images depend on."""
    return fingerprint(
        file_digest(run.root / "weights.safetensors"),
        run.config.images.model_dump(mode="json"),
        run.classes.names,
        names,
        files_digest(data.images[name] for name in names),
        truth_digest(data, names),
        [way.model_dump(mode="json") for way in (ONE_PASS, AUGMENTED)],
        code_digest(*SCORING_CODE),
    )


Counts = dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]
"""The (images, C, C) confusion matrices and (images, 3, C) counts of border bands for each way of inference."""


def _counted(run: Run, data: DataFolder, names: tuple[str, ...], masks: Path, ways: tuple[str, ...]) -> Counts:
    network, classes, rule = run.network(), run.classes, run.config.images.rule
    forward = choose_forward(network, run.root / "export", classes, engine="auto")
    single = Predictor(network, ONE_PASS, forward=forward)
    several = Predictor(network, AUGMENTED, forward=forward)
    found: dict[str, list[ImageCounts]] = {way: [] for way in ways}
    for name in names:
        rgb, truth = read_image(data.images[name], rule), data.mask(name).read(data.classes)
        seen = _predicted(single, several, rgb) if len(ways) > 1 else {SINGLE: single.index(rgb)}
        write_index_mask(within(masks, f"{name}.png"), seen[SINGLE], classes)
        for way in ways:
            found[way].append(count_image(name, truth, seen[way], classes))
    return {way: (np.stack([c.matrix for c in many]), np.stack([c.bands for c in many])) for way, many in found.items()}


def _predicted(single: Predictor, several: Predictor, rgb: Mask) -> dict[str, Mask]:
    masks = []
    for predictor in (single, several):
        probabilities = predictor.probabilities(rgb)
        masks += [probabilities, sharpened(probabilities, rgb)]
    labels = [np.asarray(mask.argmax(axis=0), dtype=np.uint8) for mask in masks]
    return dict(zip((FOUR[0], FOUR[2], FOUR[1], FOUR[3]), labels, strict=True))


def _evaluation(
    data: DataFolder, split: str, names: tuple[str, ...], counts: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
) -> Evaluation:
    return evaluation(data.classes, split, (ImageCounts(*each) for each in zip(names, *counts, strict=True)))


def _write(path: Path, stamp: str, counts: Counts) -> None:
    arrays = {f"{place}{way}": counts[way][place] for way in counts for place in (0, 1)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, stamp=np.array(stamp), **arrays)  # type: ignore[arg-type]  # names from a dictionary
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, buffer.getvalue())


def _read(path: Path, stamp: str, ways: tuple[str, ...]) -> Counts | None:
    """The stored counts, if they have the same stamp and all these ways; None otherwise, or if the file is damaged."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as held:
            if str(held["stamp"]) != stamp or any(f"0{way}" not in held for way in ways):
                return None
            return {way: (held[f"0{way}"], held[f"1{way}"]) for way in ways}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("the counts in %s are damaged (%s); scoring again", path, error)
        return None
