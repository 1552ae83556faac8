"""What a training learns from, and with which settings: read and checked before torch is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from underpaint.core.config import Settings, load_yaml, merge, parse_overrides
from underpaint.core.errors import HintError
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.rest import fill_all
from underpaint.hints.types import Hints
from underpaint.imagefiles.label_shares import hold_strokes


@dataclass(frozen=True)
class TrainingData:
    """A data set with the hints of the images to learn from.

    Args:
        path: The data set's folder, as it was given.
        data: The data set.
        split: The split to learn from.
        hints: Hints by image name, of the images of the split that have some.
        sources: The files and folders that the hints were read from; empty where they are the data set's masks.
        remarks: What a person should know of how the hints were read.
    """

    path: Path
    data: DataFolder
    split: str
    hints: Mapping[str, Hints]
    sources: tuple[Path, ...]
    remarks: tuple[str, ...]


def read_training_data(
    data: Path,
    *,
    hints: Sequence[Path] = (),
    lenient: bool = False,
    rest: str | None = None,
    split: str | None = None,
) -> TrainingData:
    """Open a data set and read the hints of its split; arguments and errors are those of `plan`."""
    opened = open_dataset(data, rest=rest, hints=hints)
    split = split or opened.learning_split()
    names = opened.split(split)
    paths = tuple(hints) or opened.annotations
    if not paths:
        return TrainingData(data, opened, split, _masks(opened, names), (), ())
    found, remarks = _hints(opened, names, paths, lenient=lenient)
    if rest is not None:
        found, filled = fill_all(found, rest, opened.classes)
        remarks += filled
    return TrainingData(data, opened, split, found, paths, tuple(remarks))


def read_settings(recipes: Sequence[Path], overrides: Sequence[str]) -> Settings:
    """Recipes, a later one laid over an earlier, and ``name=value`` overrides laid over them."""
    settings: Settings = {}
    for layer in (*map(load_yaml, recipes), parse_overrides(list(overrides))):
        settings = merge(settings, layer)
    return settings


def _masks(data: DataFolder, names: Sequence[str]) -> dict[str, Hints]:
    """The data set's own masks as hints; where they are painted strokes, they count as scribbles."""
    data.require_masks(names)
    strokes = hold_strokes({name: data.label_file(name) for name in names}, data.classes)
    return {name: replace(data.mask_hints(name), strokes=strokes) for name in sorted(names)}


def _hints(
    data: DataFolder, names: Sequence[str], paths: Sequence[Path], *, lenient: bool
) -> tuple[dict[str, Hints], list[str]]:
    """Hints of the named images, and what a person should know of how they were read."""
    read, report = read_any_hints(paths, data, ignore_unknown=lenient, ignore_outside=lenient)
    wanted = set(names)
    found = {name: hint for name, hint in read.items() if name in wanted and hint.kinds()}
    if not found:
        raise HintError(
            f"no image of the split has a hint; {len(read)} other image(s) have",
            where=", ".join(map(str, paths)),
            fix="give the split that the hints were made for with --split",
        )
    return found, report.lines()
