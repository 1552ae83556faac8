"""Reads and checks the data, hints and settings of a training before torch is imported."""

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
from underpaint.datasets.unread import unread
from underpaint.hints.rest import fill_all
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import image_size
from underpaint.imagefiles.masks import LabelFile, hold_strokes, mask_size, size_error

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """A data set with the hints for a training.

    Args:
        path: The folder of the data set, as given by the caller.
        data: The data set.
        split: The split for training.
        hints: Hints by image name, for the images of the split that have hints.
        sources: Origin of the hints: files and folders, or a description; empty for the masks of the data set.
        remarks: Remarks for the user about the hints.
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
    """Read hints from files or folders of any known format, and merge hints on the same image.

    Hints that are left out are counted and named in a warning of the logger ``underpaint``.

    Args:
        hints: Files or folders: COCO, labelme, YOLO, CVAT, label images, tables of tags, and others.
        data: The data set of the hints; images are found by name.
        rest: Class of all pixels without an annotation in images with drawn areas or boxes; None leaves them unknown.
        lenient: Leave out and count hints of unknown classes and hints outside their image, and cut hints that cross
            the image border, instead of raising an error.

    Returns:
        Hints by image name, in pixel coordinates. They can be given to `underpaint.train`.

    Raises:
        DataError: A path has no known format, or no image of the hints is in the data set.
        FormatError: A file does not have the structure of its format.
        HintError: A class is unknown, or a hint is outside its image.

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
    """Merge the settings of YAML files and of a call. Later ones replace earlier ones.

    Args:
        recipes: YAML files, in order.
        stated: Settings of the call by name, in groups or with dots, or texts as for ``--set``.

    Raises:
        ConfigError: A file cannot be read, or a text is not ``name=value``.
    """
    settings: Settings = {}
    last = grouped(stated) if isinstance(stated, Mapping) else parse_overrides(list(stated))
    for layer in (*map(load_yaml, recipes), last):
        settings = merge(settings, layer)
    return settings


def require_minutes(minutes: float, stated: Mapping[str, Any] | Sequence[str]) -> None:
    """Check the minutes of a call. They replace the number of passes in YAML files, but not one in the call.

    Raises:
        ConfigError: They are not a number above 0, or ``stated`` has a number of passes or steps.
    """
    if not (isinstance(minutes, int | float) and 0 < minutes <= MAX_NUMBER):
        raise ConfigError(f"minutes: {minutes!r}", accepted=f"a number above 0, up to {MAX_NUMBER:g}")
    train = read_settings((), stated).get("train")
    both = [f"train.{name}" for name in ("epochs", "least_steps") if isinstance(train, dict) and name in train]
    if both:
        raise ConfigError(
            f"minutes decide the number of passes, but {both[0]} states it too", fix="remove one of the two"
        )


def _masks(data: DataFolder, names: Sequence[str]) -> dict[str, Hints]:
    """The masks of the data set as hints. Masks that only contain strokes count as scribbles."""
    unlabelled = not (data.masks or data.areas or data.elsewhere(names))
    if unlabelled and (strange := unread(data.root)):
        raise DataError(
            f"no image has a mask, and {strange}",
            where=data.root,
            fix="correct or remove the file, give other hints with --hints, or put masks into masks/",
        )
    data.require_masks(names)
    strokes = hold_strokes({name: data.label_file(name) for name in names}, data.classes)
    return {name: replace(data.mask_hints(name), strokes=strokes) for name in sorted(names)}


def _require_sizes(data: DataFolder, hints: Mapping[str, Hints]) -> None:
    """Raise `DataError` if label images have another size than their image. Unreadable files are reported later."""
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
    """Hints of the named images, and remarks for the user about them."""
    if isinstance(source, Mapping):
        read, report = given_hints(source, data, ignore_unknown=lenient, ignore_outside=lenient)
    else:
        read, report = read_any_hints(source, data, ignore_unknown=lenient, ignore_outside=lenient)
    wanted = set(names)
    found = {name: hint for name, hint in read.items() if name in wanted and hint.kinds()}
    if not found:
        raise HintError(
            f"no image of the split has a hint, but {len(read)} other image(s) have hints",
            where="hints of the call" if isinstance(source, Mapping) else ", ".join(map(str, source)),
            fix="choose the split of the hinted images with --split",
        )
    return found, report.lines()
