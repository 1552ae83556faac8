"""A stage of a method: which network is trained, on which schedule, by which loss, and on which labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

from pydantic import ConfigDict, Field
from torch import Tensor

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config, Settings
from underpaint.core.errors import ConfigError
from underpaint.features.linear import LinearModel
from underpaint.methods.about import NAME
from underpaint.methods.inference import Fitting, Inference
from underpaint.models.network import ModelConfig
from underpaint.records import Batch, Head, NetOutput, Progress, Terms

ConfigT = TypeVar("ConfigT", bound=Config, covariant=True)


class Part(Generic[ConfigT]):
    """A piece of a method that depends only on its settings and the class table.

    Args:
        config: The settings. Its results are made again when one of them changes, so it must not take others.
        classes: The class table.
    """

    def __init__(self, config: ConfigT, classes: ClassTable) -> None:
        self.config = config
        self.classes = classes

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = object.__hash__


class Learner(Part[ConfigT], ABC):
    """A loss with its settings, and what it needs of the network. Every `Method` is one."""

    name: ClassVar[str]
    """Name of the loss in the artifacts of a run; unique."""

    needs: ClassVar[frozenset[Head]] = frozenset()
    """Heads of the network beside the logits."""

    @abstractmethod
    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Named, weighted scalars for a batch. The same names on every call; the batch stays as it is."""

    def response_scales(self, progress: Progress) -> tuple[float, ...]:
        """Scales of the image at which the loss needs `NetOutput.responses` at this step; empty for no responses."""
        return ()

    def make_labels(self, out: NetOutput, batch: Batch, progress: Progress) -> Tensor | None:
        """Labels that the network's own output gives at this step: (N, h, w) uint8, 255 where unknown, or soft ones.

        Soft labels are (N, C, h, w) and sum to 1 over C, or to 0 where nothing is known.

        The training loop calls this before `loss`, without gradient, and hands the result over as `NetOutput.labels`.
        None where the loss learns from no such labels.
        """
        return None

    def fit(self, stage: Stage, fitting: Fitting) -> LinearModel:
        """The weights of a stage whose network is ``fitted``: of its linear decoder, or of its tag head.

        Args:
            stage: The stage.
            fitting: The training images and their features.

        Raises:
            ConfigError: the loss does not define `fit`, and a stage needs it.
        """
        raise ConfigError(f"{self.name!r} does not fit its stage {stage.name!r}", fix="give its class a `fit`")


class LabelMaker(Part[ConfigT], ABC):
    """Makes the labels of a stage, with the trained network of the stage before."""

    @abstractmethod
    def make(self, infer: Inference) -> None:
        """Write labels of the training images by the methods of `Inference`."""


@dataclass(frozen=True)
class OtherMethod:
    """Another method of the registry, whose loss trains a stage.

    Args:
        name: In the registry.
        settings: Of that method.
    """

    name: str
    settings: Settings


class StageNetwork(Config):
    """The network that a stage trains.

    Attributes:
        start: ``fresh`` starts from the encoder's pre-trained weights, ``previous`` from the stage before.
        heads: Heads of the network; None for those that the stage's loss needs.
        subclasses: K, the number of sub-categories of every class that the network predicts; 0 for none.
        decodes: Whether the decoder runs. A classifier of images does not need it and trains in two thirds of the time
            without it. An embedding is then linear in the encoder's features.
        frozen: Whether the encoder stays as it was pre-trained.
        fitted: Whether the stage takes no gradient steps: `Learner.fit` gives the weights of its linear decoder, or of
            its tag head where the decoder does not run.
    """

    start: Literal["fresh", "previous"] = "fresh"
    heads: tuple[Head, ...] | None = None
    subclasses: int = Field(default=0, ge=0)
    decodes: bool = True
    frozen: bool = False
    fitted: bool = False

    def model(self, usual: ModelConfig) -> ModelConfig:
        """Settings of the network: the run's, with a linear decoder where the decoder is what is fitted."""
        return usual.model_copy(update={"architecture": "linear"}) if self.fitted and self.decodes else usual


class Schedule(Config):
    """How long a stage trains, and how fast.

    Attributes:
        epochs: Passes over the images, as a multiple of those of the run.
        rate: Factor on the learning rate of the run.
    """

    epochs: float = Field(default=1.0, gt=0)
    rate: float = Field(default=1.0, gt=0)


class Stage(Config):
    """One training of a network within a method.

    Attributes:
        name: Unique within the method; letters, digits and '-'.
        network: Which network is trained.
        schedule: How long, and how fast.
        learner: The loss: an object with its own settings, a method of the registry, or None for `Method.loss`. Stages
            of two methods with the same name, network, schedule and loss are trained once for both, where the runs
            share their artifacts.
        labels: Makes the labels of the stage, with the network of the stage before; None if it learns from the hints.
        images: Which images the stage can learn from: ``all``, or those ``marked`` by more than tags; all where no
            image is. How often each of them is drawn is a setting of the run (`SamplingConfig`).
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str = Field(pattern=NAME)
    network: StageNetwork = StageNetwork()
    schedule: Schedule = Schedule()
    learner: Learner[Config] | OtherMethod | None = None
    labels: LabelMaker[Config] | None = None
    images: Literal["all", "marked"] = "all"
