"""A stage of a method: the network that is trained, its schedule, its loss, and its labels."""

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
from underpaint.models.config import ModelConfig
from underpaint.records import Batch, Head, NetOutput, Progress, Terms

ConfigT = TypeVar("ConfigT", bound=Config, covariant=True)


class Part(Generic[ConfigT]):
    """A part of a method that depends only on its settings and the class table.

    Args:
        config: The settings. If one of them changes, the results of the part are made again. So a part should have only
            the settings that it needs.
        classes: The class table.
    """

    def __init__(self, config: ConfigT, classes: ClassTable) -> None:
        self.config = config
        self.classes = classes

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = object.__hash__


class Learner(Part[ConfigT], ABC):
    """A loss with its settings, and the heads of the network that it needs. Every `Method` is a learner."""

    name: ClassVar[str]
    """Unique name of the loss in the artifacts of a run."""

    needs: ClassVar[frozenset[Head]] = frozenset()
    """Heads of the network beside the logits."""

    @abstractmethod
    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Return the weighted loss terms of a batch by name.

        Every call has the same names. The batch is not changed.
        """

    @property
    def teacher(self) -> float:
        """Decay of the average of the weights whose output `make_labels` receives; 0 means the output of the step.

        Labels from an average follow the network slowly (Tarvainen and Valpola, "Mean teachers", NIPS 2017).
        """
        return 0.0

    def response_scales(self, progress: Progress) -> tuple[float, ...]:
        """Scales of the image for `NetOutput.responses` at this step. If this is empty, there are no responses."""
        return ()

    def make_labels(self, out: NetOutput, batch: Batch, progress: Progress) -> Tensor | None:
        """Make labels from the output of the network, or of the average of its weights (`teacher`), or return None.

        Hard labels are (N, h, w) uint8, with 255 for unknown pixels. Soft labels are (N, C, h, w) and sum to 1 over C,
        or to 0 for unknown pixels. The training loop calls this before `loss`, without gradients, and passes the result
        as `NetOutput.labels`.
        """
        return None

    def fit(self, stage: Stage, fitting: Fitting) -> LinearModel:
        """Compute the weights of a stage whose network is ``fitted``: those of its linear decoder or of its tag head.

        Args:
            stage: The stage.
            fitting: The training images and their features.

        Raises:
            ConfigError: A stage needs `fit`, but the loss does not define it.
        """
        raise ConfigError(f"{self.name!r} does not fit its stage {stage.name!r}", fix="define `fit` in its class")


class LabelMaker(Part[ConfigT], ABC):
    """Makes the labels of a stage with the trained network of the previous stage."""

    @abstractmethod
    def make(self, infer: Inference) -> None:
        """Write the labels of the training images with the methods of `Inference`."""


@dataclass(frozen=True)
class OtherMethod:
    """Another method of the registry whose loss trains a stage.

    Args:
        name: Name of that method in the registry.
        settings: Settings of that method.
    """

    name: str
    settings: Settings


class StageNetwork(Config):
    """The network that a stage trains.

    Attributes:
        start: ``fresh`` starts from the pre-trained weights of the encoder, ``previous`` from the network of the
            previous stage.
        heads: Heads of the network. None means the heads that the loss of the stage needs.
        subclasses: K, the number of sub-categories of every class that the network predicts; 0 means none.
        decodes: Whether the decoder runs. An image classifier does not need it, and takes two thirds of the training
            time without it. An embedding is then linear in the features of the encoder.
        frozen: Whether the encoder keeps its pre-trained weights.
        fitted: Whether the stage has no gradient steps. `Learner.fit` then computes the weights of its linear decoder,
            or of its tag head if the decoder does not run.
    """

    start: Literal["fresh", "previous"] = "fresh"
    heads: tuple[Head, ...] | None = None
    subclasses: int = Field(default=0, ge=0)
    decodes: bool = True
    frozen: bool = False
    fitted: bool = False

    def model(self, usual: ModelConfig) -> ModelConfig:
        """Settings of the network: those of the run, but with a linear decoder if the decoder is fitted."""
        return usual.model_copy(update={"architecture": "linear"}) if self.fitted and self.decodes else usual


class Schedule(Config):
    """Length and learning rate of a stage.

    Attributes:
        epochs: Number of passes over the images, as a multiple of that of the run.
        rate: Factor on the learning rate of the run.
    """

    epochs: float = Field(default=1.0, gt=0)
    rate: float = Field(default=1.0, gt=0)


class Stage(Config):
    """One training of a network within a method.

    Attributes:
        name: Name, unique within the method; it has letters, digits and '-'.
        network: The network that is trained.
        schedule: Length and learning rate.
        learner: The loss: an object with its own settings, a method of the registry, or None for `Method.loss`. If runs
            share their artifacts, stages of two methods that have the same name, network, schedule and loss are trained
            only once.
        labels: Makes the labels of the stage with the network of the previous stage. None means that the stage learns
            from the hints.
        images: The images that the stage can learn from: ``all``, or only those that are ``marked`` with more than
            tags. If no image has more than tags, all are used. How often each image is drawn is a setting of the run
            (`SamplingConfig`).
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str = Field(pattern=NAME)
    network: StageNetwork = StageNetwork()
    schedule: Schedule = Schedule()
    learner: Learner[Config] | OtherMethod | None = None
    labels: LabelMaker[Config] | None = None
    images: Literal["all", "marked"] = "all"
