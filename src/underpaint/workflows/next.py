"""Finds the images, and the places in them, where the next hint is expected to help most."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from underpaint.core.config import Settings
from underpaint.core.errors import ConfigError, DataError, listing
from underpaint.core.paths import AnyPath, SomePaths, as_path, as_paths
from underpaint.core.rng import generator
from underpaint.data.hinted import at_working_size
from underpaint.data.samples import TrainingImage
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.open import open_dataset
from underpaint.features.bank import ImageFeatures, Pixels, paired
from underpaint.features.uncertainty import SPREAD, Spot, Uncertainty
from underpaint.hints.rasterise import covered_by
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import image_size
from underpaint.imagefiles.rule import COLOUR, ReadingRule, read_image
from underpaint.predict.hinted import LinearMasks
from underpaint.training.reporter import Reporter, Silent
from underpaint.training.stage_inference import Count
from underpaint.workflows.quick_model import QuickModel, fit_quick
from underpaint.workflows.training_data import TrainingData, read_settings, read_training_data

EVERY = 4
"""One of this number of places is drawn at random, so that labels there remain an unbiased measure of the model."""

COUNT = 12


@dataclass(frozen=True)
class Place:
    """A place at which a person should give a hint.

    Args:
        image: Name of the image.
        x, y: Column and row in pixels of the image's own size.
        radius: Radius of the ring around the place in pixels.
        uncertainty: Smoothed entropy there, in bits; 0 without a model.
        guess: The most probable class; None without a model.
        other: The second most probable class; None if there is none.
        random: Whether the place was drawn at random.
    """

    image: str
    x: float
    y: float
    radius: float
    uncertainty: float
    guess: str | None
    other: str | None
    random: bool

    @property
    def question(self) -> str:
        """The question to the person who gives the hint."""
        known = [name for name in (self.guess, self.other) if name is not None]
        return f"{' or '.join(known)}?" if known else "what is here?"


@dataclass(frozen=True)
class NextHints:
    """The result of `next_hints`.

    Args:
        places: The places, the most useful first, at most one in each image.
        notes: Remarks for the user.
        photographs: Paths of the images by name.
        rule: How the images are to be shown.
    """

    places: tuple[Place, ...]
    notes: tuple[str, ...]
    photographs: Mapping[str, Path]
    rule: ReadingRule = COLOUR


def next_hints(
    data: AnyPath,
    *,
    hints: SomePaths | Mapping[str, Hints] = (),
    lenient: bool = False,
    rest: str | None = None,
    split: str | None = None,
    count: int = COUNT,
    seed: int = 0,
    config: SomePaths = (),
    settings: Mapping[str, Any] | Sequence[str] = (),
    reporter: Reporter | None = None,
) -> NextHints:
    """Find the places where the next hints are expected to help most.

    The quick model is fitted on the existing hints. The value of a place is the smoothed entropy of the model's
    prediction there, and 0 near marks (`Uncertainty`); the value of an image is that of its best place. Every fourth
    place is drawn at random, in a random image. The same hints and seed give the same places. Without hints of at least
    two classes there is no model, and all places are drawn at random.

    Args:
        data: Data-set folder.
        hints: As in `underpaint.train`.
        lenient: As in `underpaint.train`.
        rest: As in `underpaint.train`.
        split: Split whose images are searched, as in `underpaint.train`.
        count: Largest number of places.
        seed: Seed of all random choices.
        config: As in `underpaint.train`.
        settings: As in `underpaint.train`.
        reporter: Is told about progress.

    Returns:
        The places, each with its image, its position in pixels and a question, and notes.

    Raises:
        ConfigError: The count is below 1.
        UnderpaintError: As in `underpaint.quick`.

    Example:
        >>> for place in underpaint.next_hints("photographs", hints="clicks.jsonl").places:  # doctest: +SKIP
        ...     print(place.image, place.x, place.y, place.question)
    """
    if count < 1:
        raise ConfigError(f"count is {count}", where="count", accepted="1 or more")
    path, files = as_path(data, "data"), () if isinstance(hints, Mapping) else as_paths(hints, "hints")
    opened = open_dataset(path, rest=rest, hints=files)
    names = opened.split(split or opened.learning_split())
    if not hints and not opened.annotations and not any(name in opened.masks for name in names):
        return _without_model(opened, names, count, seed, "there are no hints yet")
    learnt = read_training_data(path, hints=hints, lenient=lenient, rest=rest, split=split)
    drawn = {name for hint in learnt.hints.values() for name in hint.drawn()}
    if len(drawn) < 2 and not any(hint.mask for hint in learnt.hints.values()):
        said = f"the hints show only one class ({', '.join(drawn)})" if drawn else "no pixel is marked yet"
        return _without_model(opened, names, count, seed, said)
    return _by_entropy(
        learnt, read_settings(as_paths(config, "config"), settings), names, count, seed, reporter or Silent()
    )


def _without_model(data: DataFolder, names: Sequence[str], count: int, seed: int, why: str) -> NextHints:
    """Random places in random images."""
    rng = generator(seed, "next", "without a model")
    places, unreadable = [], []
    for number in rng.permutation(len(names)):
        name = names[number]
        x, y = rng.random(2)
        try:
            size = image_size(data.images[name])
        except DataError:
            unreadable.append(name)
            continue
        places.append(place_of(name, Spot(float(x), float(y), 0.0), size, data, drawn=True))
        if len(places) == count:
            break
    said = f"{why}, so there is no model yet and the places are drawn at random"
    return NextHints(tuple(places), (said, *_limits(len(places), count, unreadable)), data.images)


def _by_entropy(
    learnt: TrainingData, settings: Settings, names: Sequence[str], count: int, seed: int, reporter: Reporter
) -> NextHints:
    model = fit_quick(learnt, settings, reporter)
    data, key = learnt.data, str(model.plan.source["content"])  # other hints give other random places
    best: list[Place] = []
    drawn: dict[str, Place] = {}
    unreadable: list[str] = []
    searched = Count(reporter, len(names))
    for name, size, uncertainty in _uncertainties(model, names, unreadable):
        if (spot := uncertainty.best()) is not None:
            best.append(place_of(name, spot, size, data, drawn=False))
        if (spot := uncertainty.at_random(generator(seed, "next", key, name))) is not None:
            drawn[name] = place_of(name, spot, size, data, drawn=True)
        searched.one("searching for places")
    searched.close()
    order = generator(seed, "next", key).permutation(len(names))
    places = choose_places(best, [drawn[names[i]] for i in order if names[i] in drawn], count)
    notes = (*model.plan.notes, *_limits(len(places), count, unreadable))
    return NextHints(places, notes, data.images, model.plan.config.images.rule)


def choose_places(best: Sequence[Place], drawn: Sequence[Place], count: int) -> tuple[Place, ...]:
    """Choose at most one place in each image: those of the greatest entropy first, and every fourth from ``drawn``.

    Args:
        best: The best place in each image, in any order.
        drawn: A random place in each image, in random order.
        count: Largest number of places.
    """
    queues = deque(sorted(best, key=lambda place: (-place.uncertainty, place.image))), deque(drawn)
    chosen: dict[str, Place] = {}
    while len(chosen) < count and any(queues):
        turn = queues[len(chosen) % EVERY == EVERY - 1]
        place = (turn or queues[0] or queues[1]).popleft()
        chosen.setdefault(place.image, place)
    return tuple(chosen.values())


def _uncertainties(
    model: QuickModel, names: Sequence[str], unreadable: list[str]
) -> Iterator[tuple[str, tuple[int, int], Uncertainty]]:
    """Name, original size and entropy map of every image that can be read; others are added to ``unreadable``."""
    data, config, masks = model.plan.data, model.plan.config.data, model.masks()
    rule = model.plan.config.images.rule

    def small() -> Iterator[tuple[Pixels, tuple[str, Pixels]]]:
        for name in names:
            try:
                rgb = read_image(data.images[name], rule)
            except DataError:
                unreadable.append(name)
                continue
            yield at_working_size(rgb, config.working), (name, rgb)

    known = frozenset(model.images.names)
    with closing(paired(model.bank, small())) as every:
        for (name, rgb), features in every:
            image = model.images.training_image(name, rgb) if name in known else None
            yield name, (rgb.shape[0], rgb.shape[1]), uncertainty_of(model, masks, name, rgb, features, image)


def uncertainty_of(
    model: QuickModel,
    masks: LinearMasks,
    name: str,
    rgb: npt.NDArray[np.uint8],
    features: ImageFeatures,
    image: TrainingImage | None,
) -> Uncertainty:
    """The uncertainty of the quick model in an image; it is 0 near marks and in ignored areas.

    Args:
        model: The model.
        masks: Makes its predictions (`QuickModel.masks`).
        name: Name of the image.
        rgb: (H, W, 3) image at its original size.
        features: Features of the image at the working size.
        image: The image with its hints; None for an image without hints.
    """
    seen = at_working_size(rgb, model.plan.config.data.working).shape
    classes, marked = np.flatnonzero(masks.learned), None
    if image is not None:
        classes, marked = _asked_classes(image.allowed, masks.learned), image.candidates.index > 0
    marked = _with_ignored(model.plan.hints.get(name), marked, (rgb.shape[0], rgb.shape[1]), (seen[0], seen[1]))
    return Uncertainty.of(
        masks.scores(features), classes, padded=features.padded, seen=(seen[0], seen[1]), marked=marked
    )


def _with_ignored(
    hints: Hints | None, marked: npt.NDArray[np.bool_] | None, size: tuple[int, int], seen: tuple[int, int]
) -> npt.NDArray[np.bool_] | None:
    """``marked`` together with the ignored areas at the size ``seen``, because no class can be named there."""
    if hints is None or not hints.ignored():
        return marked
    found = np.zeros(seen, bool) if marked is None else marked.copy()
    at = np.argwhere(covered_by(hints.ignored(), size))
    found[at[:, 0] * seen[0] // size[0], at[:, 1] * seen[1] // size[1]] = True
    return found


def _asked_classes(allowed: npt.NDArray[np.bool_], learned: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """The learned classes that hints do not exclude, or all learned classes if hints exclude all of them."""
    may = allowed & learned
    return np.flatnonzero(may if may.any() else learned)


def place_of(name: str, spot: Spot, size: tuple[int, int], data: DataFolder, *, drawn: bool) -> Place:
    """Convert a spot of an image of size (height, width) to a place in pixels."""
    guess, other = (None if index is None else data.classes.names[index] for index in (spot.guess, spot.other))
    x, y = (min(share * side, side - 0.5) for share, side in ((spot.x, size[1]), (spot.y, size[0])))
    return Place(name, round(x, 1), round(y, 1), round(max(size) * SPREAD, 1), spot.uncertainty, guess, other, drawn)


def _limits(found: int, count: int, unreadable: Sequence[str]) -> Iterator[str]:
    """Remarks on why the list is shorter than requested."""
    if unreadable:
        yield f"{len(unreadable)} image(s) cannot be read and are left out: {listing(unreadable)}"
    if found < count:
        yield f"only {found} of {count} places were found: there is at most one per image, and none near marks"
