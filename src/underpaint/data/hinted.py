"""Images with hints as reproducible training samples."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from underpaint.core.errors import DataError, RunError, nearest
from underpaint.core.regular import open_regular
from underpaint.core.rng import generator
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.samples import Geometry, Sample, TrainingImage
from underpaint.data.views import Coordinates, View, ViewConfig, draw_view, jitter_colours
from underpaint.data.whole import check_fits, drawn_labels, ignored_pixels, whole_view
from underpaint.datasets.folder import DataFolder
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.hints.types import Hints
from underpaint.hints.windows import hints_within
from underpaint.imagefiles.decode import MAX_PIXELS, Pixels
from underpaint.imagefiles.images import image_size
from underpaint.imagefiles.rule import COLOUR, ReadingRule, open_input, read_image
from underpaint.imagefiles.slices import file_and_slice

log = logging.getLogger(__name__)

Key = tuple[int, int]
"""(epoch, index of the image). The random choices of a sample depend only on its key and the seed."""


DENSE_SHARE = 0.5
"""If more than this share of the pixels is labelled, nearly every crop contains some, so crops need no anchors."""

FREE_SHARE = 0.5
"""Share of the crops that may lie beside all boxes, if everything outside them is background.

If every crop shows a box, a network that sees crops of about the size of the objects never sees background alone: on
two drawn photographs with boxes of the size of the crops, 60 steps gave 67 and 71 % of the pixels the right class, and
97 % with this share (tests/kinds/test_recipes_of_kinds.py has such a photograph).
"""

EXCERPT = 512
"""Pixels of a side of what is shown of an image that is too large."""


@dataclass
class Cache:
    """A cache of decoded images. Images that do not fit are decoded each time.

    No entry is ever removed, so that the hit rate of a shuffled pass is the share of the images that fit.

    Args:
        limit: Largest number of bytes.
        used: Number of bytes in use.
        items: The cached arrays.
    """

    limit: int
    used: int = 0
    items: dict[str, np.ndarray] = field(default_factory=dict)

    def put(self, key: str, value: np.ndarray) -> None:
        """Store a value if there is room."""
        if self.used + value.nbytes <= self.limit:
            self.items[key] = value
            self.used += value.nbytes


class HintedImages(Dataset[Sample]):
    """Training samples of a data set and its hints.

    Args:
        data: The data set.
        hints: Hints by image name; an image without hints is not used.
        views: Settings of the random crops.
        seed: Seed of the random choices; a sample depends on it and on the key of the sample.
        pseudo: Pseudo-labels made by an earlier stage, or None.
        rule: Which bands are read, with which windows.
        working: Longest side of a `TrainingImage` in pixels; None for the images' own sizes.

    Attributes:
        scenes: What `Batch.scene` has of each image, by name; images without an entry have none. A stage sets it.

    Raises:
        DataError: An image is not in the data set, no image can be read, or a label file has another size.
        HintError: Hints are contradictory, lie outside their image, or name an unknown class.
        RunError: An image file changed while the training ran (when a sample is made): a resumed run would then differ
            from one that was not interrupted.
    """

    def __init__(
        self,
        data: DataFolder,
        hints: Mapping[str, Hints],
        views: ViewConfig,
        *,
        seed: int,
        pseudo: PseudoLabels | None = None,
        rule: ReadingRule = COLOUR,
        working: int | None = None,
    ) -> None:
        self.scenes: Mapping[str, npt.NDArray[np.float32]] = {}
        self.working = working
        self.data, self.views, self.seed, self.pseudo, self.rule = data, views, seed, pseudo, rule
        self.hints = dict(sorted(hints.items()))
        self.unreadable: dict[str, str] = {}
        self.geometry: dict[str, Geometry] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._bytes: dict[str, int] = {}
        self._crops: set[str] = set()
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
        check_fits(hint, geometry, size, self.data.labels(hint))
        if math.prod(size) > MAX_PIXELS:
            self._crops.add(name)
        self.geometry[name], self._sizes[name] = geometry, size
        self._bytes[name] = _bytes(self.data.images[name])

    def labelled(self, name: str) -> Mask:
        """(H, W) uint8 at the image's own size: the class of the pixels that a person labelled, 255 elsewhere."""
        size = self._sizes[name]
        return self.geometry[name].seeds(whole_view(size), size, self._mask(name))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: Key) -> Sample:
        """The sample of an image in an epoch, or of the next readable image if this one cannot be read."""
        epoch, index = key
        for step in range(len(self.names)):
            name = self.names[(index + step) % len(self.names)]
            if name in self.unreadable:
                continue
            try:
                if name in self._crops:
                    return self._crop_sample(epoch, name)
                rgb = self._image(name)
            except DataError as error:  # only unreadable images are skipped, not unreadable label files
                log.warning("skipped: %s", error)
                self.unreadable[name] = str(error)
                continue
            return self._sample(epoch, name, rgb)
        raise DataError(
            f"none of the {len(self.names)} images can be read",
            where=self.data.root,
            fix=next(iter(self.unreadable.values())),
        )

    def _crop_sample(self, epoch: int, name: str) -> Sample:
        """The sample of an image that is too large to be read: of the drawn window alone, with the hints cut to it."""
        rng, views, geometry = generator(self.seed, "view", epoch, name), self.views, self.geometry[name]
        anchors = np.empty((0, 2))
        if not self._anywhere(rng, geometry):
            middles = (geometry.extents[:, :2] + geometry.extents[:, 2:]) / 2
            anchors = np.concatenate([geometry.anchors(rng), middles])
        view = draw_view(rng, self._sizes[name], views.shape, scales=views.scales, flip=views.flip, anchors=anchors)
        rgb, part, drawn, ignored = self._window(name, view)
        size = (view.height, view.width)
        return self._viewed(rng, name, rgb, replace(view, top=0, left=0), part, size, drawn, None, ignored, None)

    def _window(self, name: str, view: View) -> tuple[Pixels, Geometry, Mask | None, Mask | None]:
        """Pixels and hints of the part of a large image that a view sees: geometry, areas, and ignored areas."""
        size = (view.height, view.width)
        hints = hints_within(self.hints[name], view.top, view.left, size)
        with open_input(self.data.images[name], self.rule) as image:
            rgb = image.read((view.top, view.top + view.height, view.left, view.left + view.width))
        part = replace(Geometry.of(hints, self.data.classes), knowledge=self.geometry[name].knowledge)
        return rgb, part, drawn_labels(hints, self.data.classes, size, None), ignored_pixels(hints, part, size)

    def excerpt(self, name: str) -> TrainingImage:
        """A training image; of one that is too large, a part around its first hint, to look at."""
        if name not in self._crops:
            return self.training_image(name)
        geometry, size = self.geometry[name], self._sizes[name]
        middles = (geometry.boxes[:, :2] + geometry.boxes[:, 2:]) / 2
        at = np.concatenate([geometry.points, middles, geometry.extents[:, :2]])[:1]
        x, y = at[0] if len(at) else (0.0, 0.0)
        side = (min(EXCERPT, size[0]), min(EXCERPT, size[1]))
        top, left = (int(min(max(0, p - s // 2), n - s)) for p, s, n in zip((y, x), side, size, strict=True))
        view = View(top, left, *side, side, (0, 0), side, flip=False)
        rgb, part, drawn, ignored = self._window(name, view)
        whole = whole_view(side)
        candidates = part.candidates(whole, side, self.data.classes, labels=drawn, made=None, ignored=ignored)
        known = part.knowledge
        return TrainingImage(name, rgb, rgb, self.hints[name], candidates, ~known.absent, known.present)

    def _sample(self, epoch: int, name: str, rgb: np.ndarray) -> Sample:
        rng = generator(self.seed, "view", epoch, name)
        views, geometry = self.views, self.geometry[name]
        source = (rgb.shape[0], rgb.shape[1])
        drawn, learnt = self._mask(name), self._made(name)
        soft = self.pseudo.soft(name, source) if self.pseudo is not None else None
        free = soft is not None or self._anywhere(rng, geometry)
        anchors = np.empty((0, 2)) if free else _anchors(geometry.anchors(rng), drawn, learnt)
        view = draw_view(rng, source, views.shape, scales=views.scales, flip=views.flip, anchors=anchors)
        ignored = self._ignored(name)
        return self._viewed(rng, name, rgb, view, geometry, source, drawn, learnt, ignored, soft)

    def _anywhere(self, rng: np.random.Generator, geometry: Geometry) -> bool:
        """Whether a crop need not contain a hint: half of those of an image whose boxes show what is background."""
        return geometry.knowledge.surrounded(self.data.classes.background) and rng.random() < FREE_SHARE

    def _viewed(
        self,
        rng: np.random.Generator,
        name: str,
        rgb: np.ndarray,
        view: View,
        geometry: Geometry,
        source: tuple[int, int],
        drawn: Mask | None,
        learnt: Mask | None,
        without: Mask | None,
        soft: torch.Tensor | None,
    ) -> Sample:
        """The sample of (H', W', B) pixels and what is known of them, seen through a view."""
        views = self.views
        pixels = view.image(torch.from_numpy(rgb).permute(2, 0, 1)).float().div_(255)
        valid = view.valid()
        if views.colour_jitter:
            pixels = jitter_colours(pixels, rng, views.colour_jitter) * valid
        labels, made = self._seen(view, drawn), self._seen(view, learnt)
        ignored = self._seen(view, without)
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
            scene=self.scenes.get(name),
        )

    def _image(self, name: str) -> np.ndarray:
        held = self._cache.items.get(name)
        if held is None:
            path = self.data.images[name]
            if _bytes(path) != self._bytes[name]:
                raise RunError(
                    f"photograph {name!r} was removed or changed while the training ran",
                    where=path,
                    fix="restore the file; the same command with --resume continues from the last checkpoint",
                )
            held = read_image(path, self.rule)
            self._cache.put(name, held)
        return held

    def _mask(self, name: str) -> Mask | None:
        """The labels of the label file and, drawn over them, of the filled areas; None if there are neither."""
        hints = self.hints[name]
        if hints.mask is None and not hints.regions:
            return None
        key = f"{name}\0mask"
        held = self._cache.items.get(key)
        if held is None:
            held = drawn_labels(hints, self.data.classes, self._sizes[name], self.data.labels(hints))
            if held is not None:
                self._cache.put(key, held)
        return held

    def _ignored(self, name: str) -> Mask | None:
        """(H, W) uint8, 1 on the ignored areas of an image; None if it has none, or no boxes that they affect."""
        return ignored_pixels(self.hints[name], self.geometry[name], self._sizes[name])

    def _made(self, name: str) -> Mask | None:
        """The pseudo-labels of an image from an earlier stage, or None."""
        key = f"{name}\0made"
        held = self._cache.items.get(key)
        if held is not None or self.pseudo is None:
            return held
        labels = self.pseudo.labels(name, self.data.classes)
        if labels is None or labels.shape == self._sizes[name]:
            return labels
        large = _enlarged(labels, self._sizes[name])
        self._cache.put(key, large)  # for a large image, enlarging takes longer than cropping
        return large

    @staticmethod
    def _seen(view: View, labels: Mask | None) -> Mask | None:
        """Labels through a view, as a copy, because strokes are painted on it and the original is cached."""
        return None if labels is None else np.array(view.labels(torch.from_numpy(labels)).numpy())

    def training_image(self, name: str, full: Pixels | None = None) -> TrainingImage:
        """An image without augmentation, reduced to the working size, with its hints and pseudo-labels rasterised.

        Args:
            name: Name of the image.
            full: Its (H, W, 3) uint8 pixels if they have been read already.

        Raises:
            DataError: The image cannot be read.
        """
        full = self._image(name) if full is None else full
        size = (full.shape[0], full.shape[1])
        view = whole_view(size, self.working)
        labels, made, ignored = (
            self._seen(view, known) for known in (self._mask(name), self._made(name), self._ignored(name))
        )
        candidates = self.geometry[name].candidates(
            view, size, self.data.classes, labels=labels, made=made, ignored=ignored
        )
        known = self.geometry[name].knowledge
        rgb = at_working_size(full, self.working)
        return TrainingImage(name, rgb, full, self.hints[name], candidates, ~known.absent, known.present)

    def training_images(self) -> Iterator[TrainingImage]:
        """All images that can be read, in the order of their names; the others are added to `unreadable`.

        Images that are too large to be read as a whole, from which crops are read, are left out.
        """
        names = (name for name in self.names if name not in self._crops)
        return (image for name in names if (image := self.readable_image(name)) is not None)

    def readable_image(self, name: str) -> TrainingImage | None:
        """A `training_image`; None if it cannot be read, which is added to `unreadable`."""
        try:
            full = self._image(name)
        except DataError as error:
            self.unreadable[name] = str(error)
            return None
        return self.training_image(name, full)


def at_working_size(rgb: Pixels, longest: int | None) -> Pixels:
    """Reduce an (H, W, 3) image if its longer side is above ``longest`` pixels."""
    view = whole_view((rgb.shape[0], rgb.shape[1]), longest)
    if view.size == rgb.shape[:2]:
        return np.ascontiguousarray(rgb)
    return np.ascontiguousarray(view.image(torch.from_numpy(rgb).permute(2, 0, 1)).permute(1, 2, 0).numpy())


def _bytes(path: Path) -> int:
    """Size of a file in bytes, or -1 if it cannot be opened."""
    try:
        with open_regular(file_and_slice(path)[0], max_bytes=1 << 62) as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        return -1


def _enlarged(labels: Mask, size: tuple[int, int]) -> Mask:
    """Enlarge labels to (H, W): each pixel gets the label of the cell that contains its centre."""
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(np.intp) for n, m in zip(size, labels.shape, strict=True))
    return np.asarray(labels[rows[:, None], columns])


def _anchors(drawn: Coordinates, *layers: Mask | None) -> Coordinates:
    """(A, 2) points that crops should contain: those of the hints, and labelled pixels; none if many are labelled."""
    points = [drawn]
    for labels in layers:
        if labels is not None:
            known = labels != UNKNOWN
            if known.mean() > DENSE_SHARE:
                return np.empty((0, 2))
            points.append(np.argwhere(known)[:, ::-1].astype(np.float64) + 0.5)
    return np.concatenate(points)
