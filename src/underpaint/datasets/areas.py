"""Uses annotated areas as masks, for data sets without mask files."""

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

MAX_UNKNOWN = 0.25
"""Largest fraction of unknown pixels with which areas are used as masks. With more unknown pixels scores would be
misleading, because wrong predictions on them are not counted."""


def open_with_truth(path: Path, *, rest: str | None = None) -> DataFolder:
    """Open a data set with masks. If it has no mask files, annotated areas are used as masks.

    Args:
        path: The folder of the data set, as in `open_dataset`.
        rest: The class of pixels without an annotation; see `fill_rest`.

    Raises:
        DataError, FormatError, HintError: As the readers.
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
        DataError: An image has no mask, or areas leave more than `MAX_UNKNOWN` of all pixels unknown.
    """
    data.require_masks(names)
    drawn = {name: data.areas[name] for name in names if name not in data.masks}
    share = _unknown(data, drawn) if drawn else 0.0
    if share > MAX_UNKNOWN:
        raise DataError(
            f"the annotated areas leave {share:.0%} of the pixels unknown, which no score can count",
            where=data.root,
            accepted=f"areas that leave at most {MAX_UNKNOWN:.0%} unknown",
            fix="if everything is annotated, name the class of the other pixels: --rest background. Or convert only "
            "the areas into masks, which are scored without a limit: underpaint convert DATA OUT --to masks",
        )


def truth_digest(data: DataFolder, names: Sequence[str]) -> str:
    """A fingerprint of the masks of these images and the meaning of their numbers, or of the areas used as masks."""
    files = [data.label_file(name) for name in names if name in data.masks]
    drawn = [hint_record(data.areas[name]) for name in names if name not in data.masks and name in data.areas]
    return fingerprint(labels_digest(files, data.classes), drawn)


def _unknown(data: DataFolder, drawn: Mapping[str, Hints]) -> float:
    """The fraction of the pixels of these images that no area covers."""
    pixels = unknown = 0
    for name in drawn:
        mask = data.mask(name).read(data.classes)
        pixels, unknown = pixels + mask.size, unknown + int(np.count_nonzero(mask == VOID))
    return unknown / pixels
