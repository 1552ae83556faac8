"""What a training learns from, and with which settings: read and checked before torch is imported."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from underpaint.core.config import MAX_NUMBER, Settings, grouped, load_yaml, merge, parse_overrides
from underpaint.core.errors import ConfigError, DataError, HintError
from underpaint.core.paths import AnyPath, SomePaths, as_path, as_paths
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import given_hints, read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.rest import fill_all
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import image_size
from underpaint.imagefiles.label_shares import hold_strokes
from underpaint.imagefiles.masks import LabelFile, mask_size, size_error

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """A data set with the hints of the images to learn from.

    Args:
        path: The data set's folder, as it was given.
        data: The data set.
        split: The split to learn from.
        hints: Hints by image name, of the images of the split that have some.
        sources: Where the hints come from: files and folders, or a word; empty where they are the data set's masks.
        remarks: What a person should know of how the hints were read.
    """

    path: Path
    data: DataFolder
    split: str
    hints: Mapping[str, Hints]
    sources: tuple[str, ...]
    remarks: tuple[str, ...]


def read_training_data(
    data: Path,
    *,
    hints: SomePaths | Mapping[str, Hints] = (),
    lenient: bool = False,
    rest: str | None = None,
    split: str | None = None,
) -> TrainingData:
    """Open a data set and read the hints of its split; arguments and errors are those of `underpaint.plan`."""
    files = () if isinstance(hints, Mapping) else as_paths(hints, "hints")
    opened = open_dataset(data, rest=rest, hints=files)
    split = split or opened.learning_split()
    names = opened.split(split)
    source = hints if isinstance(hints, Mapping) and hints else files or opened.annotations
    if not source:
        masks = _masks(opened, names)
        _require_sizes(opened, masks)
        return TrainingData(data, opened, split, masks, (), ())
    found, remarks = _hints(opened, names, source, lenient=lenient)
    _require_sizes(opened, found)
    if rest is not None:
        found, filled = fill_all(found, rest, opened.classes)
        remarks += filled
    said = ("hints of the call",) if isinstance(source, Mapping) else tuple(map(str, source))
    return TrainingData(data, opened, split, found, said, tuple(remarks))


def read_hints(hints: SomePaths, data: AnyPath, *, rest: str | None = None, lenient: bool = False) -> dict[str, Hints]:
    """Read hints from files or folders of any known format, and merge what several say of one image.

    What is left out is counted and named in a warning of the logger ``underpaint``.

    Args:
        hints: Files or folders: COCO, labelme, YOLO, CVAT, label images, tables of tags, and others.
        data: The data set that they belong to; images are found by name.
        rest: Class of the pixels that no annotation covers, in images with drawn areas or boxes; None leaves them
            unknown.
        lenient: Leave out and count hints of classes that the data set lacks, or outside their image, and cut those
            that cross its border, instead of stopping.

    Returns:
        Hints by image name, in pixel coordinates; `underpaint.train` takes them as they are.

    Raises:
        DataError: a path of no known format, or hints of which no image is in the data set.
        FormatError: a file does not have the structure of its format.
        HintError: an unknown class, or a hint outside its image.

    Example:
        >>> hints = underpaint.read_hints("coco.json", "photographs")  # doctest: +SKIP
        >>> hints["IMG_0001"].kinds()  # doctest: +SKIP
        frozenset({<Kind.BOX: 'boxes'>})
    """
    paths = as_paths(hints, "hints")
    opened = open_dataset(as_path(data, "data"), rest=rest, hints=paths)
    found, report = read_any_hints(paths, opened, ignore_unknown=lenient, ignore_outside=lenient)
    losses = report.losses()
    if rest is not None:
        found, filled = fill_all(found, rest, opened.classes)
        losses += filled
    for line in losses:
        log.warning(line)
    return found


def read_settings(recipes: Sequence[Path], stated: Mapping[str, Any] | Sequence[str]) -> Settings:
    """Recipes, a later one laid over an earlier, and what a call states laid over them.

    Args:
        recipes: YAML files.
        stated: Settings by name, in groups or with dots, or texts as ``--set`` takes them.

    Raises:
        ConfigError: a recipe that cannot be read, or a text that is no ``name=value``.
    """
    settings: Settings = {}
    last = grouped(stated) if isinstance(stated, Mapping) else parse_overrides(list(stated))
    for layer in (*map(load_yaml, recipes), last):
        settings = merge(settings, layer)
    return settings


def require_minutes(minutes: float, stated: Mapping[str, Any] | Sequence[str]) -> None:
    """Check the minutes that a call allows a training. They replace the passes of a recipe, not those of the call.

    Raises:
        ConfigError: they are no number above 0, or ``stated`` has a number of passes or steps.
    """
    if not (isinstance(minutes, int | float) and 0 < minutes <= MAX_NUMBER):
        raise ConfigError(f"minutes: {minutes!r}", accepted=f"a number above 0, up to {MAX_NUMBER:g}")
    train = read_settings((), stated).get("train")
    both = [f"train.{name}" for name in ("epochs", "least_steps") if isinstance(train, dict) and name in train]
    if both:
        raise ConfigError(f"the minutes choose the passes, but {both[0]} states them", fix="leave one of the two out")


def _masks(data: DataFolder, names: Sequence[str]) -> dict[str, Hints]:
    """The data set's own masks as hints; where they are painted strokes, they count as scribbles."""
    data.require_masks(names)
    strokes = hold_strokes({name: data.label_file(name) for name in names}, data.classes)
    return {name: replace(data.mask_hints(name), strokes=strokes) for name in sorted(names)}


def _require_sizes(data: DataFolder, hints: Mapping[str, Hints]) -> None:
    """Raise `DataError` where label images have another size than their image. What cannot be read is met later."""
    wrong: dict[str, tuple[LabelFile, tuple[int, int], tuple[int, int]]] = {}
    for name, hint in hints.items():
        label = data.labels(hint)
        if label is not None and name in data.images:
            with suppress(DataError):
                seen, size = mask_size(label.path), image_size(data.images[name])
                if seen != size:
                    wrong[name] = label, seen, size
    if wrong:
        label, seen, size = next(iter(wrong.values()))
        raise size_error(label.path, seen, size, also=len(wrong) - 1)


def _hints(
    data: DataFolder, names: Sequence[str], source: Sequence[Path] | Mapping[str, Hints], *, lenient: bool
) -> tuple[dict[str, Hints], list[str]]:
    """Hints of the named images, and what a person should know of how they were read."""
    if isinstance(source, Mapping):
        read, report = given_hints(source, data, ignore_unknown=lenient, ignore_outside=lenient)
    else:
        read, report = read_any_hints(source, data, ignore_unknown=lenient, ignore_outside=lenient)
    wanted = set(names)
    found = {name: hint for name, hint in read.items() if name in wanted and hint.kinds()}
    if not found:
        raise HintError(
            f"no image of the split has a hint; {len(read)} other image(s) have",
            where="hints of the call" if isinstance(source, Mapping) else ", ".join(map(str, source)),
            fix="give the split that the hints were made for with --split",
        )
    return found, report.lines()
