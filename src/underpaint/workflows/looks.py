"""Scoring a run on a split under the four ways of inference, which are never mixed."""

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
from underpaint.core.digest import READING_ROOMS, code_digest, file_digest, files_digest, fingerprint
from underpaint.datasets.areas import truth_digest
from underpaint.datasets.folder import DataFolder
from underpaint.evaluation.compare import Evaluation, ImageCounts, count_image, evaluation
from underpaint.export import choose_forward
from underpaint.imagefiles.images import read_rgb
from underpaint.imagefiles.masks import write_index_mask
from underpaint.kernels.meanfield import mean_field
from underpaint.predict import MASK_CRF, PredictConfig, Predictor
from underpaint.workflows.run import Run

SINGLE = "one scale"
"""The figure that everything is compared by."""

SCALES = (0.75, 1.0, 1.5)
"""Of the looks with scales and flips: what the network saw in training, within its range of sizes."""

FOUR = (SINGLE, "scales and flips", "CRF", "scales, flips and CRF")

SINGLE_LOOK, SEVERAL_LOOKS = PredictConfig(), PredictConfig(scales=SCALES, flip=True)

SCORING_CODE = (
    *READING_ROOMS, "records.py", "kernels", "models", "predict", "export", "evaluation", "workflows/looks.py"
)  # fmt: skip
"""The code that counts depend on, beside the weights."""

log = logging.getLogger(__name__)

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scored:
    """One run on one split.

    Args:
        evaluation: One look at one scale.
        others: mIoU of the other ways of inference by name; empty where they were not asked for.
    """

    evaluation: Evaluation
    others: Mapping[str, float]


def score_run(run: Run, data: DataFolder, split: str, masks: Path, kept: Path, *, four: bool) -> Scored:
    """Predict a split, keep the masks of the single look, and score all looks.

    Done again only where something that the counts rest on has changed (weights, names, photographs, truth, class
    table, code), or where masks are gone.

    Args:
        run: A complete run.
        data: The data set, with masks for the split.
        split: What to score.
        masks: Folder for the index masks of the single look; it holds those of the split and nothing else.
        kept: File for the counts (npz), from which every score follows.
        four: Whether to look with scales and flips, and with a CRF, as well: about ten times the work.
    """
    names = data.split(split)
    data.require_masks(names)
    stamp = _stamp(run, data, names)
    looks = FOUR if four else FOUR[:1]
    held = _read(kept, stamp, looks)
    if held is None or not all((masks / f"{name}.png").is_file() for name in names):
        with atomic_folder(masks) as folder:
            held = _counted(run, data, names, folder, looks)
            kept.unlink(missing_ok=True)  # older counts must not outlive the masks that they were made from
        _write(kept, stamp, held)
    single, *rest = (_evaluation(data, split, names, held[look]) for look in looks)
    return Scored(single, {look: result.scores.miou for look, result in zip(looks[1:], rest, strict=True)})


def _stamp(run: Run, data: DataFolder, names: tuple[str, ...]) -> str:
    """Of everything that the counts of these images depend on."""
    return fingerprint(
        file_digest(run.root / "weights.safetensors"),
        run.config.data.fixed,
        run.classes.names,
        names,
        files_digest(data.images[name] for name in names),
        truth_digest(data, names),
        [look.model_dump(mode="json") for look in (SINGLE_LOOK, SEVERAL_LOOKS)],
        code_digest(*SCORING_CODE),
    )


Counts = dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]
"""For each look the (images, C, C) confusion matrices and the (images, 3, C) counts of border bands."""


def _counted(run: Run, data: DataFolder, names: tuple[str, ...], masks: Path, looks: tuple[str, ...]) -> Counts:
    network, classes, window = run.network(), run.classes, run.config.data.fixed
    forward = choose_forward(network, run.root / "export", classes, engine="auto")
    single = Predictor(network, SINGLE_LOOK, forward=forward)
    several = Predictor(network, SEVERAL_LOOKS, forward=forward)
    found: dict[str, list[ImageCounts]] = {look: [] for look in looks}
    for name in names:
        rgb, truth = read_rgb(data.images[name], window=window), data.mask(name).read(data.classes)
        seen = _looks(single, several, rgb) if len(looks) > 1 else {SINGLE: single.index(rgb)}
        write_index_mask(within(masks, f"{name}.png"), seen[SINGLE], classes)
        for look in looks:
            found[look].append(count_image(name, truth, seen[look], classes))
    return {
        look: (np.stack([c.matrix for c in many]), np.stack([c.bands for c in many])) for look, many in found.items()
    }


def _looks(single: Predictor, several: Predictor, rgb: Mask) -> dict[str, Mask]:
    masks = []
    for predictor in (single, several):
        probabilities = predictor.probabilities(rgb)
        masks += [probabilities, mean_field(probabilities, rgb, MASK_CRF)]
    labels = [np.asarray(mask.argmax(axis=0), dtype=np.uint8) for mask in masks]
    return dict(zip((FOUR[0], FOUR[2], FOUR[1], FOUR[3]), labels, strict=True))


def _evaluation(
    data: DataFolder, split: str, names: tuple[str, ...], counts: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
) -> Evaluation:
    return evaluation(data.classes, split, (ImageCounts(*each) for each in zip(names, *counts, strict=True)))


def _write(path: Path, stamp: str, counts: Counts) -> None:
    arrays = {f"{place}{look}": counts[look][place] for look in counts for place in (0, 1)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, stamp=np.array(stamp), **arrays)  # type: ignore[arg-type]  # names from a dictionary
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, buffer.getvalue())


def _read(path: Path, stamp: str, looks: tuple[str, ...]) -> Counts | None:
    """The counts, where they were made from the same things for all these looks; a damaged file counts as none."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as held:
            if str(held["stamp"]) != stamp or any(f"0{look}" not in held for look in looks):
                return None
            return {look: (held[f"0{look}"], held[f"1{look}"]) for look in looks}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("the counts in %s are damaged (%s); scoring again", path, error)
        return None
