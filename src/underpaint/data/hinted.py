"""Images with hints as an endless, reproducible stream of training samples."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, field_validator
from torch.utils.data import Dataset, Sampler

from underpaint.core.config import FREE, Config
from underpaint.core.errors import DataError, RunError, nearest
from underpaint.core.regular import open_regular
from underpaint.core.rng import generator
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.samples import Geometry, Sample, Still
from underpaint.data.views import Coordinates, View, draw_view, jitter_colours
from underpaint.datasets.folder import DataFolder
from underpaint.hints.rasterise import UNKNOWN, Mask, covered_by, numbered, paint_regions
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.decode import MAX_BYTES, Pixels
from underpaint.imagefiles.images import image_size, read_rgb
from underpaint.imagefiles.masks import mask_size
from underpaint.imagefiles.window import Window

log = logging.getLogger(__name__)

Key = tuple[int, int]
"""(epoch, index of the image): all that the randomness of a sample depends on, beside the seed."""


MAX_CROP = 8192
"""Limit of the sides of a crop: one of this size takes a few gigabytes in a network."""

MIN_SCALE = 0.01
"""Smallest factor on the size of an image; the largest is its inverse."""


class ViewConfig(Config):
    """Settings of the views that training sees.

    Attributes:
        crop: (height, width) of the training crops in pixels: multiples of 16 for the decoder deeplabv3plus, of 32 for
            fpn and unet.
        scales: Smallest and largest factor on an image's size.
        flip: Mirror half of the views; off where left and right differ in meaning.
        colour_jitter: Brightness, contrast and saturation vary by up to this share.
        cache_mb: Memory for decoded images, in MiB for each loading process.
    """

    crop: tuple[int, int] = (256, 256)
    scales: tuple[float, float] = (0.75, 1.5)
    flip: bool = True
    colour_jitter: float = Field(default=0.2, ge=0, lt=1)
    cache_mb: Annotated[int, FREE] = Field(default=1024, ge=0)

    @field_validator("crop")
    @classmethod
    def _crop_in_memory(cls, crop: tuple[int, int]) -> tuple[int, int]:
        if not all(1 <= side <= MAX_CROP for side in crop):
            raise ValueError(f"the crop is {crop[0]} x {crop[1]} pixels; accepted are sides of 1 to {MAX_CROP}")
        return crop

    @field_validator("scales")
    @classmethod
    def _scales_in_order(cls, scales: tuple[float, float]) -> tuple[float, float]:
        if not MIN_SCALE <= scales[0] <= scales[1] <= 1 / MIN_SCALE:
            raise ValueError(f"scales are a smallest and a largest factor from {MIN_SCALE} to {1 / MIN_SCALE:g}")
        return scales

    @property
    def field(self) -> int:
        """Pixels of a photograph along the longer side of the largest view."""
        return math.ceil(max(self.crop) / self.scales[0])


DENSE_SHARE = 0.5
"""Above this share of labelled pixels nearly any window shows some, and none is put around them."""


FEW = 10
"""Hinted pixels that make half a lesson: more than the clicks on an image, fewer than its shortest stroke."""


@dataclass
class Cache:
    """Decoded images, as many as fit; what does not fit is decoded each time.

    No entry is ever thrown out, so that the hit rate of a shuffled pass equals the share that fits.

    Args:
        limit: Bytes.
        used: Bytes held.
        items: What is held.
    """

    limit: int
    used: int = 0
    items: dict[str, np.ndarray] = field(default_factory=dict)

    def put(self, key: str, value: np.ndarray) -> None:
        """Keep a value if there is room."""
        if self.used + value.nbytes <= self.limit:
            self.items[key] = value
            self.used += value.nbytes


class HintedImages(Dataset[Sample]):
    """Training samples of a data set and its hints.

    Args:
        data: The data set.
        hints: Hints by image name; an image without hints is not used.
        views: Crop, scales and so on.
        seed: With the key of a sample, all that its randomness depends on.
        pseudo: Labels made by an earlier stage, or None.
        window: Of values of photographs of 16 bits, as `read_rgb` takes it.
        working: Longest side of a `Still` in pixels; None for the photographs' own.

    Raises:
        DataError: an image that the data set lacks, no image that can be read, or a label file of another size.
        HintError: contradictory hints, hints outside their image, or an unknown class.
        RunError: when a sample is made, a photograph that is no more what it was: weights would depend on the moment.
    """

    def __init__(
        self,
        data: DataFolder,
        hints: Mapping[str, Hints],
        views: ViewConfig,
        *,
        seed: int,
        pseudo: PseudoLabels | None = None,
        window: Window | None = None,
        working: int | None = None,
    ) -> None:
        self.working = working
        self.data, self.views, self.seed, self.pseudo, self.window = data, views, seed, pseudo, window
        self.hints = dict(sorted(hints.items()))
        self.unreadable: dict[str, str] = {}
        self.geometry: dict[str, Geometry] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._bytes: dict[str, int] = {}
        for name, hint in self.hints.items():
            self._add(name, hint)
        if not self.geometry:
            raise DataError(
                "no image can be used for training",
                where=data.root,
                fix=next(iter(self.unreadable.values()), "the hints name no image of the data set"),
            )
        self.names = tuple(self.geometry)
        self._cache = Cache(limit=views.cache_mb * 2**20)

    def _add(self, name: str, hint: Hints) -> None:
        geometry = Geometry.of(hint, self.data.classes)
        if name not in self.data.images:
            near = nearest(name, self.data.images)
            raise DataError(f"the data set has no image {name!r}", where=self.data.root, fix=near or None)
        try:
            size = image_size(self.data.images[name])
        except DataError as error:
            log.warning("skipped: %s", error)
            self.unreadable[name] = str(error)
            return
        if hint.size is not None and hint.size != size:
            raise DataError(
                f"the hints were made on {hint.size[1]}x{hint.size[0]} pixels, the image has {size[1]}x{size[0]}",
                where=f"image {name!r}",
                fix="a rotated photograph, or another size? hints are never stretched to fit",
            )
        geometry.check_inside(name, size)
        if hint.mask is not None:
            labels = mask_size(self.label_path(hint.mask))
            if labels != size:
                raise DataError(
                    f"the mask has {labels[1]}x{labels[0]} pixels, its image {size[1]}x{size[0]}",
                    where=self.label_path(hint.mask),
                    fix="masks are never resized; make both of one size and orientation",
                )
        self.geometry[name], self._sizes[name] = geometry, size
        self._bytes[name] = _bytes(self.data.images[name])

    @property
    def sure(self) -> tuple[int, ...]:
        """Indices of the images whose labelled pixels are beyond doubt: with a mask, or with strokes and no box."""
        kinds = [self.hints[name].kinds() for name in self.names]
        return tuple(
            i for i, k in enumerate(kinds) if Kind.MASK in k or (k & {Kind.SCRIBBLE, Kind.CLICK} and Kind.BOX not in k)
        )

    @property
    def placed(self) -> tuple[int, ...]:
        """Indices of the images of which a hint says more than which classes they show."""
        return tuple(i for i, name in enumerate(self.names) if self.hints[name].kinds() != {Kind.TAG})

    def worth(self) -> npt.NDArray[np.float64]:
        """(N,) what each image's hints are worth as a lesson, 0 to 1: n / (n + `FEW`) of n pixels hinted by hand.

        1 with a mask or boxes, outside which all pixels are known; nearly 1 with strokes, 0.23 with three clicks, 0
        with tags alone.
        """
        return np.array([self._worth(name) for name in self.names])

    def _worth(self, name: str) -> float:
        if self.hints[name].kinds() & {Kind.MASK, Kind.BOX}:
            return 1.0
        drawn = int((self.labelled(name) != UNKNOWN).sum())
        return drawn / (drawn + FEW)

    def labelled(self, name: str) -> Mask:
        """(H, W) uint8 of the photograph's own size: the class of the pixels that a person labelled, 255 elsewhere."""
        size = self._sizes[name]
        return self.geometry[name].seeds(_whole(size), size, self._mask(name))

    def label_path(self, mask: str) -> Path:
        """Where a label file lies: `Hints.mask` is relative to the data set's folder."""
        return self.data.root / mask

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: Key) -> Sample:
        """The sample of an image in an epoch; where the image cannot be read, that of the next readable one."""
        epoch, index = key
        for step in range(len(self.names)):
            name = self.names[(index + step) % len(self.names)]
            if name in self.unreadable:
                continue
            try:
                rgb = self._image(name)
            except DataError as error:  # the photograph alone: a label file that cannot be read is no loss to bear
                log.warning("skipped: %s", error)
                self.unreadable[name] = str(error)
                continue
            return self._sample(epoch, name, rgb)
        raise DataError(
            f"none of the {len(self.names)} images can be read",
            where=self.data.root,
            fix=next(iter(self.unreadable.values())),
        )

    def _sample(self, epoch: int, name: str, rgb: np.ndarray) -> Sample:
        rng = generator(self.seed, "view", epoch, name)
        views, geometry = self.views, self.geometry[name]
        source = (rgb.shape[0], rgb.shape[1])
        drawn, learnt = self._mask(name), self._made(name)
        soft = self.pseudo.soft(name, source) if self.pseudo is not None else None
        anchors = np.empty((0, 2)) if soft is not None else _anchors(geometry, drawn, learnt)
        view = draw_view(rng, source, views.crop, scales=views.scales, flip=views.flip, anchors=anchors)
        pixels = view.image(torch.from_numpy(rgb).permute(2, 0, 1)).float().div_(255)
        valid = view.valid()
        if views.colour_jitter:
            pixels = jitter_colours(pixels, rng, views.colour_jitter) * valid
        labels, made = self._seen(view, drawn), self._seen(view, learnt)
        ignored = self._seen(view, self._ignored(name))
        candidates = geometry.candidates(view, source, self.data.classes, labels=labels, made=made, ignored=ignored)
        knowledge = geometry.knowledge
        return Sample(
            rgb=pixels,
            valid=valid,
            candidates=candidates.index,
            sets=candidates.sets,
            tags=knowledge.present,
            tags_known=knowledge.present | knowledge.absent,
            boxes=view.boxes(geometry.boxes, source),
            box_classes=geometry.box_labels,
            image=name,
            soft=None if soft is None else view.image(soft).float().div_(255),
            subtags=None if self.pseudo is None else self.pseudo.subtags(name),
            hinted=None if made is None else geometry.seeds(view, source, labels) != UNKNOWN,
        )

    def _image(self, name: str) -> np.ndarray:
        held = self._cache.items.get(name)
        if held is None:
            path = self.data.images[name]
            if _bytes(path) != self._bytes[name]:
                raise RunError(
                    f"photograph {name!r} was removed or changed while the training ran",
                    where=path,
                    fix="put it back as it was; the same command with --resume goes on from the last checkpoint",
                )
            held = read_rgb(path, window=self.window)
            self._cache.put(name, held)
        return held

    def _mask(self, name: str) -> Mask | None:
        """A person's mask of an image: the label file, and over it the filled areas."""
        hints = self.hints[name]
        if hints.mask is None and not hints.regions:
            return None
        key = f"{name}\0mask"
        held = self._cache.items.get(key)
        if held is None:
            held = self._label_file(name)
            regions = numbered(hints.regions, self.data.classes, f"hints of image {name!r}")
            held = paint_regions(regions, self._sizes[name], held)
            self._cache.put(key, held)
        return held

    def _ignored(self, name: str) -> Mask | None:
        """(H, W) uint8, 1 on the ignored areas of an image; None where it has none, or no boxes that they matter to."""
        ignored, geometry = self.hints[name].ignored(), self.geometry[name]
        if not ignored or not (len(geometry.boxes) or geometry.knowledge.boxed.any()):
            return None
        return covered_by(ignored, self._sizes[name]).astype(np.uint8)

    def _label_file(self, name: str) -> Mask | None:
        file = self.data.labels(self.hints[name])
        return None if file is None else file.read(self.data.classes)

    def _made(self, name: str) -> Mask | None:
        """What an earlier stage made of an image."""
        key = f"{name}\0made"
        held = self._cache.items.get(key)
        if held is not None or self.pseudo is None:
            return held
        labels = self.pseudo.labels(name, self.data.classes)
        if labels is None or labels.shape == self._sizes[name]:
            return labels
        large = _enlarged(labels, self._sizes[name])
        self._cache.put(key, large)  # of a large photograph it takes longer to make than to crop
        return large

    @staticmethod
    def _seen(view: View, labels: Mask | None) -> Mask | None:
        """Labels through a view: a copy, since strokes are painted on it and the original is kept."""
        return None if labels is None else np.array(view.labels(torch.from_numpy(labels)).numpy())

    def still(self, name: str, full: Pixels | None = None) -> Still:
        """An image as it lies on disk, at the working size at most, with its hints rasterised on it: no jitter.

        Args:
            name: Of the image.
            full: Its (H, W, 3) pixels where they have been read already.
        """
        full = self._image(name) if full is None else full
        size = (full.shape[0], full.shape[1])
        view = _whole(size, self.working)
        labels, ignored = self._seen(view, self._mask(name)), self._seen(view, self._ignored(name))
        candidates = self.geometry[name].candidates(
            view, size, self.data.classes, labels=labels, made=None, ignored=ignored
        )
        known = self.geometry[name].knowledge
        rgb = at_working_size(full, self.working)
        return Still(name, rgb, full, self.hints[name], candidates, ~known.absent, known.present)

    def stills(self) -> Iterator[Still]:
        """All images that can be read, in the order of their names; the others are noted as unreadable."""
        for name in self.names:
            try:
                full = self._image(name)
            except DataError as error:
                self.unreadable[name] = str(error)
                continue
            yield self.still(name, full)


def at_working_size(rgb: Pixels, longest: int | None) -> Pixels:
    """An (H, W, 3) image, made smaller where its longer side is above ``longest`` pixels."""
    view = _whole((rgb.shape[0], rgb.shape[1]), longest)
    if view.size == rgb.shape[:2]:
        return np.ascontiguousarray(rgb)
    return np.ascontiguousarray(view.image(torch.from_numpy(rgb).permute(2, 0, 1)).permute(1, 2, 0).numpy())


def _bytes(path: Path) -> int:
    """The size of a file that can be opened; -1 of one that cannot."""
    try:
        with open_regular(path, max_bytes=MAX_BYTES) as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        return -1


def _whole(size: tuple[int, int], longest: int | None = None) -> View:
    """The whole (H, W) image, made smaller where its longer side is above ``longest`` pixels."""
    factor = 1.0 if longest is None else min(1.0, longest / max(size))
    canvas = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    return View(0, 0, *size, canvas, (0, 0), canvas, flip=False)


def _enlarged(labels: Mask, size: tuple[int, int]) -> Mask:
    """Labels that were made at a smaller size, at (H, W): of each pixel those of the cell that its middle lies in."""
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(np.intp) for n, m in zip(size, labels.shape, strict=True))
    return np.asarray(labels[rows[:, None], columns])


def _anchors(geometry: Geometry, *layers: Mask | None) -> Coordinates:
    """(A, 2) points worth seeing: the geometry's, and the labelled pixels where they are few; none where many."""
    points = [geometry.anchors()]
    for labels in layers:
        if labels is not None:
            known = labels != UNKNOWN
            if known.mean() > DENSE_SHARE:
                return np.empty((0, 2))
            points.append(np.argwhere(known)[:, ::-1].astype(np.float64) + 0.5)
    return np.concatenate(points)


class Stream(Sampler[list[Key]]):
    """Batches of keys, epoch after epoch without a seam, from any step on.

    The order of an epoch is a permutation drawn from (seed, epoch). A run that resumes at step k draws the batches that
    an uninterrupted one would have drawn from step k on.

    With ``share_of_often``, the images of ``often`` and the others are two decks, each dealt in passes of its own: of
    the first k batches of b images, ``ceil(k b share)`` come from the first deck, for every k. So every batch has that
    share where b times the share is whole, and is one image short in some where it is not; no deck is ever left out but
    by a share of 0 or 1. Where more of the images are in ``often``, their own share of the data is dealt. The number of
    images drawn, and with it of steps, stays as it is.

    Args:
        images: Number of images.
        batch: Images a step.
        steps: First step and the step before which to stop.
        seed: Of the permutations.
        often: Indices of the images of which every batch has a share at least.
        share_of_often: That share, 0 to 1; without effect where they are all images or none.
        weights: (images,) how often each is drawn beside the others of its deck, see `Deck`; None: all alike.
    """

    def __init__(
        self,
        images: int,
        batch: int,
        steps: tuple[int, int],
        *,
        seed: int,
        often: Collection[int] = (),
        share_of_often: float = 0.0,
        weights: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self.batch, self.steps = batch, steps
        every = np.arange(images)
        chosen = np.isin(every, list(often))
        weights = np.ones(images) if weights is None else weights
        self.decks: tuple[Deck, ...] = (Deck(every, weights, seed, ("order",)),)
        self.first_share = Fraction(1)
        if share_of_often and 0 < chosen.sum() < images:
            first = Deck(every[chosen], weights[chosen], seed, ("order", "masks"))
            self.decks = (first, Deck(every[~chosen], weights[~chosen], seed, ("order", "rest")))
            # As written, not as stored: in binary 0.3 lies a little below three tenths.
            self.first_share = max(Fraction(str(share_of_often)), Fraction(int(chosen.sum()), images))

    def __len__(self) -> int:
        return self.steps[1] - self.steps[0]

    def __iter__(self) -> Iterator[list[Key]]:
        for step in range(*self.steps):
            keys: list[Key] = []
            for deck, start, stop in zip(self.decks, self._dealt(step), self._dealt(step + 1), strict=True):
                keys += deck.cards(start, stop)
            yield keys

    def _dealt(self, step: int) -> tuple[int, ...]:
        """Images of each deck in all batches before a step."""
        images = step * self.batch
        first = math.ceil(images * self.first_share)
        return (first, images - first)[: len(self.decks)]


@dataclass
class Deck:
    """Images in shuffled passes without end.

    Those of the greatest weight are in every pass, others in as many of many passes as their weight is of the greatest,
    as evenly as chance allows: the k-th time lies anywhere in the k-th of equal stretches of passes.

    Args:
        images: (M,) indices.
        weights: (M,), 0 or more; where all are 0, all images are alike.
        seed: Of the permutations.
        name: Keys of the permutations' randomness, beside the time.
        number, first, held: The pass read last: its number, its first position, its images.
    """

    images: npt.NDArray[np.intp]
    weights: npt.NDArray[np.float64]
    seed: int
    name: tuple[str, ...]
    number: int = -1
    first: int = 0
    held: list[Key] = field(default_factory=list)

    def cards(self, start: int, stop: int) -> Iterator[Key]:
        """(time, index) of the images at positions ``start`` to ``stop`` of the endless order."""
        for position in range(start, stop):
            if position < self.first:  # read again from an earlier position on
                self.number, self.first, self.held = -1, 0, []
            while position >= self.first + len(self.held):
                self.first += len(self.held)
                self.number += 1
                self.held = self._pass(self.number)
            yield self.held[position - self.first]

    def _pass(self, number: int) -> list[Key]:
        """The images whose k-th time, for any k, lies in this pass, in order."""
        top = self.weights.max()
        rate = self.weights / top if top > 0 else np.ones(len(self.weights))
        found: list[tuple[float, Key]] = []
        for time in np.union1d(np.floor(number * rate), np.floor((number + 1) * rate)).astype(int).tolist():
            order = generator(self.seed, *self.name, time).permutation(len(self.images))
            place = np.empty(len(order))
            place[order] = np.arange(len(order)) / len(order)
            with np.errstate(divide="ignore", invalid="ignore"):  # of weight 0: never
                at = (time + place) / rate
            here = np.flatnonzero((at >= number) & (at < number + 1))
            found += [(float(at[i]), (time, int(self.images[i]))) for i in here]
        return [key for _, key in sorted(found)]
