"""Uses annotated areas as masks: the ground truth of a data set whose images have no mask files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from underpaint.annotations.jsonl import hint_record
from underpaint.core.classes import VOID
from underpaint.core.digest import fingerprint
from underpaint.core.errors import DataError
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.rest import fill_rest
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.masks import labels_digest

OPEN = 0.25
"""Areas serve as masks up to this share of unknown pixels. With more, scores would be misleading: a prediction could
paint an object wherever the truth is unknown, and lose nothing."""


def open_with_truth(path: Path, *, rest: str | None = None) -> DataFolder:
    """A data set with masks, or, where it has no mask files, with annotated areas in their place.

    Args:
        path: The data set's folder, as `open_dataset` takes it.
        rest: The class of what no annotation covers; see `fill_rest`.

    Raises:
        DataError, FormatError, HintError: as the readers.
    """
    data = open_dataset(path, rest=rest)
    if rest is not None:
        data.classes.index(rest, "--rest")
    if data.masks or not data.annotations:
        return data
    read, _ = read_any_hints(data.annotations, data)
    filled = {name: one if rest is None else fill_rest(one, rest, data.classes) for name, one in read.items()}
    areas = {name: one for name, one in filled.items() if Kind.MASK in one.kinds() and one.mask is None}
    return replace(data, areas=areas)


def require_truth(data: DataFolder, names: Sequence[str]) -> None:
    """Refuse images without a mask, and areas that leave too much of the images unknown.

    Raises:
        DataError: an image has no mask, or areas leave more than `OPEN` of all pixels unknown.
    """
    data.require_masks(names)
    drawn = {name: data.areas[name] for name in names if name not in data.masks}
    share = _unknown(data, drawn) if drawn else 0.0
    if share > OPEN:
        raise DataError(
            f"the annotated areas leave {share:.0%} of the pixels unknown, where no prediction could be wrong",
            where=data.root,
            accepted=f"areas that leave at most {OPEN:.0%} unknown",
            fix="if everything is annotated, say what the rest is: --rest background. Or make masks of the areas "
            "alone, which are scored as they are: underpaint convert DATA OUT --to masks",
        )


def truth_digest(data: DataFolder, names: Sequence[str]) -> str:
    """A fingerprint of the masks of these images with what their numbers stand for, or of the areas in their place."""
    files = [data.label_file(name) for name in names if name in data.masks]
    drawn = [hint_record(data.areas[name]) for name in names if name not in data.masks and name in data.areas]
    return fingerprint(labels_digest(files, data.classes), drawn)


def _unknown(data: DataFolder, drawn: Mapping[str, Hints]) -> float:
    """The share of the pixels of these images that no area covers."""
    pixels = unknown = 0
    for name in drawn:
        mask = data.mask(name).read(data.classes)
        pixels, unknown = pixels + mask.size, unknown + int(np.count_nonzero(mask == VOID))
    return unknown / pixels
