"""The data that a method receives between two stages: the trained network, the training images and their features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from underpaint.core.classes import ClassTable
from underpaint.data.samples import TrainingImage
from underpaint.features.bank import Bank

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Fitting:
    """The data for `Learner.fit`, which fits a stage without gradient steps.

    Args:
        images: Returns the training images in the order of their names.
        bank: Computes their features with the pre-trained encoder of the stage.
        seed: Seed of all random numbers.
        pooled: Returns the training images, each with (K, F): the mean inputs of the tag head over K windows of the
            image.
    """

    images: Callable[[], Iterator[TrainingImage]]
    bank: Bank
    seed: int
    pooled: Callable[[], Iterator[tuple[TrainingImage, npt.NDArray[np.float32]]]]


class Inference(Protocol):
    """The trained network of the previous stage and the training images. `LabelMaker.make` receives it."""

    classes: ClassTable
    folder: Path
    """Folder into which the artifact is written. It is renamed to its final name only after `make` has returned."""
    earlier: Path | None
    """Folder that the label maker of the previous stage wrote, or None if that stage has no label maker."""

    @property
    def bank(self) -> Bank:
        """The features of the pre-trained encoder, as the method quick has them for these images."""

    def images(self) -> Iterator[TrainingImage]:
        """Return the training images in the order of their names."""

    def probabilities(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, H, W) class probabilities at the size of ``image.rgb``, stored for later calls.

        They are averaged over the scales and, with ``flip``, over mirrored images. An image that is larger than the
        working size is predicted once, at its original size.
        """

    def responses(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, ceil(H/4), ceil(W/4)) `response_maps` of a network with a tag head, stored for later calls.

        The classes in the tags of the image compete for its cells.
        """

    def pooled(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(F,) mean of the deepest features over the image at its original scale."""

    def embedding(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(E, h, w) embedding of a network with an embedding head, at the stride of the decoder."""

    def each(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield ``work(job)`` of every job in order, computed on all cores. ``work`` and the jobs must be picklable."""

    def write_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Write hard labels (H, W) for the next stage, with 255 for unknown pixels."""

    def write_soft(self, name: str, probabilities: npt.NDArray[np.float32]) -> None:
        """Write soft labels (C, h, w) in 8 bits for the next stage, which receives them as `Batch.soft`."""

    def write_subtags(self, name: str, subtags: npt.NDArray[np.int8]) -> None:
        """Write the sub-categories (C, K) of an image for the next stage, which receives them as `Batch.subtags`."""
