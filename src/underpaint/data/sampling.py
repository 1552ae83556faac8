"""How often each image is drawn: one rule for every method and every row of a comparison."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch.utils.data import Sampler

from underpaint.core.config import Config
from underpaint.core.rng import generator
from underpaint.data.hinted import HintedImages, Key
from underpaint.hints.rasterise import UNKNOWN
from underpaint.hints.types import Hints, Kind

FEW = 10
"""An image with this many labelled pixels is drawn half as often as one with a mask. The number lies between the usual
number of clicks on an image and the pixels of its shortest stroke."""


class SamplingConfig(Config):
    """Settings of sampling. They matter for mixtures of hints alone: images with one kind of hint are drawn alike.

    Attributes:
        certain_share: Least share of every batch that comes from images with certain labels (a mask, or strokes or
            clicks and no box), if other images have boxes; 1 leaves the others out. If box and mask contradict each
            other on pixels that look alike, the box wins with under about a quarter of the weight on masks
            (tests/methods/box_uncertainty/test_uncertainty_loss.py); half is safe.
        by_labels: Whether images with few labelled pixels are drawn less often than others. Three clicks would
            otherwise take as many steps as a mask.
    """

    certain_share: float = Field(default=0.5, ge=0, le=1)
    by_labels: bool = True


@dataclass(frozen=True)
class Sampling:
    """The properties of the images that a `BatchSampler` uses.

    Args:
        group: Indices of the images with certain labels.
        share: Their least share of every batch.
        weights: (N,) how often each image is drawn; None if all are drawn alike.
    """

    group: tuple[int, ...] = ()
    share: float = 0.0
    weights: npt.NDArray[np.float64] | None = None

    @classmethod
    def of(cls, images: HintedImages, config: SamplingConfig) -> Sampling:
        """How images are drawn with these settings."""
        hints = [images.hints[name] for name in images.names]
        if not mixed(hints):
            return cls()
        weights = np.array([label_weight(images, name) for name in images.names]) if config.by_labels else None
        return cls(tuple(i for i, hint in enumerate(hints) if certain(hint)), config.certain_share, weights)


def mixed(hints: Collection[Hints]) -> bool:
    """Whether images have different kinds of hints, tags beside others not counted."""
    return len({frozenset(hint.kinds() - {Kind.TAG}) for hint in hints}) > 1


def certain(hint: Hints) -> bool:
    """Whether the labelled pixels of an image are certain: it has a mask, or strokes or clicks and no box."""
    kinds = hint.kinds()
    return Kind.MASK in kinds or bool(kinds & {Kind.SCRIBBLE, Kind.CLICK} and Kind.BOX not in kinds)


def marked(hint: Hints) -> bool:
    """Whether a hint of the image says more than which classes it shows."""
    return hint.kinds() != {Kind.TAG}


def label_weight(images: HintedImages, name: str) -> float:
    """``n / (n + FEW)`` for n pixels that a person labelled, 1 at least: 0.23 for three clicks, nearly 1 for strokes.

    1 for an image with a mask, or with boxes, outside which all pixels are known; 0.09 for one that has tags alone.
    """
    if images.hints[name].kinds() & {Kind.MASK, Kind.BOX}:
        return 1.0
    labelled = max(1, int((images.labelled(name) != UNKNOWN).sum()))
    return labelled / (labelled + FEW)


class BatchSampler(Sampler[list[Key]]):
    """Endless batches of keys, which can begin at any step.

    The order of a pass over the images is a permutation drawn from (seed, pass). A run that resumes at step k draws the
    batches that an uninterrupted run draws from step k on.

    With ``share``, the images of ``group`` and the other images are shuffled and drawn in passes of their own. Of the
    first k batches of b images, ``ceil(k b share)`` images come from the group, for every k. So every batch has that
    share, or one image less where b times the share is no whole number. If the group's share of all images is larger,
    that share is drawn. The number of images in a step, and of steps, does not change.

    Args:
        images: Number of images.
        batch: Images in a step.
        steps: First step, and the step before which to stop.
        seed: Of the permutations.
        group: Indices of the images of which every batch has a share at least.
        share: That share, 0 to 1; it has no effect if the group is empty or holds all images.
        weights: (images,) how often each image is drawn in comparison with the others of its part, see
            `WeightedShuffle`; None if all are drawn alike.
    """

    def __init__(
        self,
        images: int,
        batch: int,
        steps: tuple[int, int],
        *,
        seed: int,
        group: Collection[int] = (),
        share: float = 0.0,
        weights: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self.batch, self.steps = batch, steps
        every = np.arange(images)
        chosen = np.isin(every, list(group))
        weights = np.ones(images) if weights is None else weights
        self.parts: tuple[WeightedShuffle, ...] = (WeightedShuffle(every, weights, seed, ("order",)),)
        self.first_share = Fraction(1)
        if share and 0 < chosen.sum() < images:
            first = WeightedShuffle(every[chosen], weights[chosen], seed, ("order", "masks"))
            self.parts = (first, WeightedShuffle(every[~chosen], weights[~chosen], seed, ("order", "rest")))
            # The decimal number, not the binary one: in binary, 0.3 is slightly less than three tenths.
            self.first_share = max(Fraction(str(share)), Fraction(int(chosen.sum()), images))

    def __len__(self) -> int:
        return self.steps[1] - self.steps[0]

    def __iter__(self) -> Iterator[list[Key]]:
        for step in range(*self.steps):
            keys: list[Key] = []
            for part, start, stop in zip(self.parts, self._drawn(step), self._drawn(step + 1), strict=True):
                keys += part.keys(start, stop)
            yield keys

    def _drawn(self, step: int) -> tuple[int, ...]:
        """Number of images from each part in all batches before a step."""
        images = step * self.batch
        first = math.ceil(images * self.first_share)
        return (first, images - first)[: len(self.parts)]


class OwnBatches(Sampler[list[Key]]):
    """Some of the batches of a sampler, in its order: of every ``turn`` batches those with the numbers ``own``.

    Args:
        every: The sampler.
        turn: Number of batches after which the numbers begin again at 0.
        own: Numbers of the batches that are given.
    """

    def __init__(self, every: BatchSampler, turn: int, own: range) -> None:
        self.every, self.turn, self.own = every, turn, own

    def __len__(self) -> int:
        return len(self.every) // self.turn * len(self.own)

    def __iter__(self) -> Iterator[list[Key]]:
        return (keys for number, keys in enumerate(self.every) if number % self.turn in self.own)


@dataclass
class WeightedShuffle:
    """Images in shuffled passes without end, some in every pass and others in a share of the passes.

    An image of the greatest weight is in every pass. An image of a smaller weight w is in w / greatest of the passes,
    spread evenly: with r = w / greatest, its k-th time falls at a random moment between pass k / r and (k + 1) / r.

    Args:
        images: (M,) indices.
        weights: (M,), 0 or more; if all are 0, all images are drawn alike.
        seed: Of the permutations.
        name: Names the permutations, together with the number of the time.
        number: Number of the pass that was read last.
        first: Position of that pass in the endless order.
        current: Keys of that pass.
    """

    images: npt.NDArray[np.intp]
    weights: npt.NDArray[np.float64]
    seed: int
    name: tuple[str, ...]
    number: int = -1
    first: int = 0
    current: list[Key] = field(default_factory=list)

    def keys(self, start: int, stop: int) -> Iterator[Key]:
        """(time, index) of the images at positions ``start`` to ``stop`` of the endless order."""
        for position in range(start, stop):
            if position < self.first:  # read again from an earlier position on
                self.number, self.first, self.current = -1, 0, []
            while position >= self.first + len(self.current):
                self.first += len(self.current)
                self.number += 1
                self.current = self._pass(self.number)
            yield self.current[position - self.first]

    def _pass(self, number: int) -> list[Key]:
        """Keys of the images whose k-th time, for any k, falls into this pass, in the order of the moments."""
        top = self.weights.max()
        rate = self.weights / top if top > 0 else np.ones(len(self.weights))
        found: list[tuple[float, Key]] = []
        for time in np.union1d(np.floor(number * rate), np.floor((number + 1) * rate)).astype(int).tolist():
            order = generator(self.seed, *self.name, time).permutation(len(self.images))
            place = np.empty(len(order))
            place[order] = np.arange(len(order)) / len(order)
            with np.errstate(divide="ignore", invalid="ignore"):  # a weight of 0: never
                at = (time + place) / rate
            here = np.flatnonzero((at >= number) & (at < number + 1))
            found += [(float(at[i]), (time, int(self.images[i]))) for i in here]
        return [key for _, key in sorted(found)]
