"""The contract of a method: what it accepts and needs, its loss, and what happens between its stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config, Settings
from underpaint.data.samples import Still
from underpaint.features.bank import Bank
from underpaint.features.linear import LinearModel
from underpaint.hints.types import Kind
from underpaint.losses.candidates import Balance
from underpaint.methods.about import NAME, About, Reference
from underpaint.models.network import ModelConfig
from underpaint.records import Batch, Head, NetOutput, Progress, Terms

Job = TypeVar("Job")
Result = TypeVar("Result")

MASK_SHARE = 0.5
"""Least share of a batch from images with masks. Where box and mask contradict each other on pixels that look alike,
the box wins with under about a quarter of the weight on masks
(tests/methods/box_uncertainty/test_uncertainty_loss.py); half is safe."""


class Stage(Config):
    """One training of a network within a method.

    Attributes:
        name: Unique within the method; letters, digits and '-'.
        epochs: Passes over the images, as a multiple of the recipe's.
        start: ``fresh`` starts from the encoder's pre-trained weights, ``previous`` from the stage before.
        method: Registry name of another method whose loss trains this stage, or None. A stage that equals the only one
            of that method, in name too, is trained once for both where runs share their artifacts.
        settings: Of that method.
        heads: Of the network in this stage; None for what the method that trains it `needs`.
        subclasses: K, sub-categories of every class that the network tells apart; 0 for none.
        rate: Factor on the recipe's learning rate.
        mask_share: Least share of every batch that comes from images whose hints leave no doubt (`HintedImages.sure`),
            where only some are. A pass has as many steps as without it.
        placed_share: The same for images of which a hint says more than tags do; ``mask_share`` goes before it.
        by_worth: Whether images are drawn as often as what is hinted in them is worth (`HintedImages.worth`), two or
            three clicks a fifth as often as strokes: in as many steps they would take their place.
        tagged: Whether images that have tags and nothing else take part; without them a pass still has as many steps.
        ignores: Settings of the method that are felt in later stages alone: a change of them makes and trains nothing
            again up to here.
        fitted: Whether the stage takes no gradient steps: `Method.fit` gives the weights of its linear decoder.
        decodes: Whether the decoder runs. A classifier of images, which has no use for it, trains in two thirds of the
            time without.
    """

    name: str = Field(pattern=NAME)
    epochs: float = Field(default=1.0, gt=0)
    start: Literal["fresh", "previous"] = "fresh"
    method: str | None = None
    settings: Settings = Field(default_factory=dict)
    heads: tuple[Head, ...] | None = None
    subclasses: int = Field(default=0, ge=0)
    rate: float = Field(default=1.0, gt=0)
    mask_share: float = Field(default=0.0, ge=0, le=1)
    placed_share: float = Field(default=0.0, ge=0, le=1)
    by_worth: bool = False
    tagged: bool = True
    ignores: tuple[str, ...] = ()
    decodes: bool = True
    fitted: bool = False


@dataclass(frozen=True)
class Fitting:
    """What a stage without gradient steps is fitted on. Given to `Method.fit`.

    Args:
        images: Gives the training images, in the order of their names.
        bank: Their features, from the stage's own encoder with its pre-trained weights.
        seed: Of every draw.
    """

    images: Callable[[], Iterator[Still]]
    bank: Bank
    seed: int


class Inference(Protocol):
    """The trained network of the stage before, over the training images. Given to `Method.prepare`."""

    classes: ClassTable
    folder: Path
    """Where the artifact is being written. It becomes visible when `prepare` returns, whole or not at all."""
    earlier: Path | None
    """What `prepare` made for the stage before, or None where it was not called."""

    def images(self) -> Iterator[Still]:
        """The training images, in order of their names."""

    def probabilities(self, image: Still, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, H, W) class probabilities at the size of ``image.rgb``; kept for whoever asks again.

        Averaged over scales and mirror images; of a photograph above the working size, from one look at its own size.
        """

    def features(self, image: Still) -> npt.NDArray[np.float32]:
        """(F, h, w): what the network's last layer, the classifier, works on."""

    def responses(self, image: Still, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, ceil(H/4), ceil(W/4)) `response_maps` of a network with a tag head; kept for whoever asks again."""

    def pooled(self, image: Still) -> npt.NDArray[np.float32]:
        """(F,): the deepest features averaged over the image, at its own scale."""

    def embedding(self, image: Still) -> npt.NDArray[np.float32]:
        """(E, h, w) of a network with an embedding head, at the decoder's stride."""

    def each(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """``work(job)`` for every job, in their order, on all cores; ``work`` and jobs travel between processes."""

    def write_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Keep hard labels (H, W), 255 where unknown, for the next stage to learn from."""

    def write_soft(self, name: str, probabilities: npt.NDArray[np.float32]) -> None:
        """Keep soft labels (C, h, w) in 8 bits for the next stage: `Batch.soft`."""

    def write_subtags(self, name: str, subtags: npt.NDArray[np.int8]) -> None:
        """Keep sub-categories (C, K) of an image's classes for the next stage: `Batch.subtags`."""


class CandidateConfig(Config):
    """Settings of the candidate-set cross-entropy, which every method for hints on pixels stands on.

    Attributes:
        set_weight: Of pixels that a box leaves with several candidates: ``-log sum_{c in set} p_c``.
        absent_weight: Of the pixels that carry only the image's tags; above 0, classes that the image does not show
            are unlearned everywhere in it (methods such as AGMM, CVPR 2023, add such a term). 0 keeps the floor
            honest: hint pixels alone.
        balance: What counts the same: every labelled ``pixels`` of a batch, or every one of its ``images``, whether a
            mask labels it or a click.
    """

    set_weight: float = Field(default=1.0, ge=0)
    absent_weight: float = Field(default=0.0, ge=0)
    balance: Balance = "pixels"


ConfigT = TypeVar("ConfigT", bound=Config, covariant=True)


class Method(ABC, Generic[ConfigT]):
    """A way to learn from hints.

    Inert: no device, file, optimiser or log is touched here. The training loop adds the terms of `loss`, logs each as
    ``loss/<name>``, and names the one that is not finite.

    Args:
        config: Settings; the defaults are the paper's.
        classes: The class table.
    """

    name: ClassVar[str]
    reference: ClassVar[Reference | None]
    accepts: ClassVar[frozenset[Kind]]
    needs: ClassVar[frozenset[Head]] = frozenset()
    summary: ClassVar[str]
    """One line for `underpaint methods`."""

    Settings: ClassVar[type[Config]]

    def __init_subclass__(cls, *, about: About | None = None, **others: Any) -> None:
        """Take name, summary, kinds of hints and paper from a card, where the class is given one."""
        super().__init_subclass__(**others)
        if about is not None:
            cls.name, cls.summary = about.name, about.summary
            cls.accepts, cls.reference = about.accepts, about.reference

    def __init__(self, config: ConfigT, classes: ClassTable) -> None:
        self.config = config
        self.classes = classes

    @abstractmethod
    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Named, weighted scalars for a batch. The same names on every call in a stage; the batch stays as it is."""

    def stages(self) -> tuple[Stage, ...]:
        """The trainings in their order; one unless the method says otherwise."""
        return (Stage(name="train"),)

    def looks(self, progress: Progress) -> tuple[float, ...]:
        """Scales at which the loss wants `NetOutput.responses` at this step; none for no responses."""
        return ()

    def network(self, model: ModelConfig, side: float) -> ModelConfig:
        """The settings of the network that the method needs; the run's own unless the method says otherwise.

        Args:
            model: The run's.
            side: Median longest side of the training images, in pixels.
        """
        return model

    def fit(self, stage: Stage, fitting: Fitting) -> LinearModel:
        """The weights of a ``fitted`` stage's linear decoder."""
        raise NotImplementedError(f"{self.name} has no stage that is fitted")

    def prepare(self, stage: Stage, infer: Inference) -> None:
        """Make what ``stage`` learns from, with the network of the stage before. Not called for the first stage."""


MethodFactory = Callable[[Config, ClassTable], Method[Config]]
