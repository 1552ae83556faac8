"""What the frame gives a method between two stages: the trained network, the training images and their features."""

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
    """What a stage without gradient steps is fitted on. Given to `Learner.fit`.

    Args:
        images: Gives the training images, in the order of their names.
        bank: Their features, from the stage's own encoder with its pre-trained weights.
        seed: Seed of all random numbers.
        pooled: Gives the training images, each with the (K, F) means of what the tag head works on over K windows of
            it.
    """

    images: Callable[[], Iterator[TrainingImage]]
    bank: Bank
    seed: int
    pooled: Callable[[], Iterator[tuple[TrainingImage, npt.NDArray[np.float32]]]]


class Inference(Protocol):
    """The trained network of the stage before, over the training images. Given to `LabelMaker.make`."""

    classes: ClassTable
    folder: Path
    """Where the artifact is being written. It becomes visible when `make` returns, whole or not at all."""
    earlier: Path | None
    """What the label maker of the stage before wrote, or None where there was none."""

    def images(self) -> Iterator[TrainingImage]:
        """The training images, in order of their names."""

    def probabilities(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, H, W) class probabilities at the size of ``image.rgb``, kept for later calls.

        Averaged over scales and mirror images; an image above the working size is predicted once, at its own size.
        """

    def features(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(F, h, w): the input of the network's last layer, the classifier."""

    def responses(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, ceil(H/4), ceil(W/4)) `response_maps` of a network with a tag head, kept for later calls.

        The classes that the image is tagged with compete for its cells.
        """

    def pooled(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(F,): the deepest features averaged over the image, at its own scale."""

    def embedding(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(E, h, w) of a network with an embedding head, at the decoder's stride."""

    def each(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """``work(job)`` for every job, in their order, on all cores; ``work`` and jobs travel between processes."""

    def write_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Keep hard labels (H, W), 255 where unknown, for the next stage to learn from."""

    def write_soft(self, name: str, probabilities: npt.NDArray[np.float32]) -> None:
        """Keep soft labels (C, h, w) in 8 bits for the next stage: `Batch.soft`."""

    def write_subtags(self, name: str, subtags: npt.NDArray[np.int8]) -> None:
        """Keep sub-categories (C, K) of an image's classes for the next stage: `Batch.subtags`."""
