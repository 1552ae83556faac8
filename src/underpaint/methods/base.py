"""The contract of a method: the hints that it learns from, its stages, and its loss."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field

from underpaint.core.config import Config
from underpaint.hints.types import Kind
from underpaint.losses.candidates import Balance, candidate_terms
from underpaint.methods.about import About, Reference
from underpaint.methods.stage import ConfigT, Learner, Stage
from underpaint.models.config import ModelConfig
from underpaint.records import Batch, NetOutput, Terms


class CandidateConfig(Config):
    """Settings of the candidate-set cross-entropy, the basis of every method for hints on pixels.

    Attributes:
        set_weight: Weight of pixels with several candidates because of a box: ``-log sum_{c in set} p_c``.
        absent_weight: Weight of the pixels that have only the image's tags: classes that the image does not contain get
            a low probability at them (methods such as AGMM, CVPR 2023, add such a term). With 0, only hinted pixels are
            learned.
        balance: Whether all labelled ``pixels`` of a batch have the same weight, or all its ``images``.
    """

    set_weight: float = Field(default=1.0, ge=0)
    absent_weight: float = Field(default=0.0, ge=0)
    balance: Balance = "pixels"

    @property
    def images(self) -> Literal["all", "marked"]:
        """The images that the loss can use. Images that have only tags are used if ``absent_weight`` is above 0."""
        return "all" if self.absent_weight else "marked"


CandidateConfigT = TypeVar("CandidateConfigT", bound=CandidateConfig, covariant=True)


class Method(Learner[ConfigT], ABC):
    """A method that learns a network from hints.

    A method uses no device, file, optimiser or log. The training loop adds the terms of `loss`, logs each as
    ``loss/<name>``, and names the one that is not finite. `loss` trains every stage that has no `Learner` of its own.

    Args:
        config: Settings; the defaults are the paper's.
        classes: The class table.
    """

    reference: ClassVar[Reference | None]
    accepts: ClassVar[frozenset[Kind]]
    summary: ClassVar[str]
    """One line for `underpaint methods`."""

    Settings: ClassVar[type[Config]]

    def __init_subclass__(cls, *, about: About | None = None, **others: Any) -> None:
        """Take name, summary, kinds of hints and paper from ``about``, if the class gives it."""
        super().__init_subclass__(**others)
        if about is not None:
            cls.name, cls.summary = about.name, about.summary
            cls.accepts, cls.reference = about.accepts, about.reference

    def stages(self) -> tuple[Stage, ...]:
        """The stages in their order. By default there is one."""
        return (Stage(name="train"),)

    def network(self, model: ModelConfig, side: float) -> ModelConfig:
        """The settings of the network that the method needs. By default those of the run, with a number for the scale.

        Args:
            model: Settings of the network in the run.
            side: Median longest side of the training images, in pixels.
        """
        return model.sized(side)


class CandidateMethod(Method[CandidateConfigT], ABC):
    """A method for hints on pixels. Its loss is the candidate-set cross-entropy; a derived class may add terms."""

    def stages(self) -> tuple[Stage, ...]:
        """One training, on the images that the loss can use."""
        return (Stage(name="train", images=self.config.images),)

    def candidate_terms(self, out: NetOutput, batch: Batch) -> Terms:
        """The terms ``seeds``, ``sets`` and ``absent`` under the method's settings."""
        config = self.config
        return candidate_terms(
            out, batch, set_weight=config.set_weight, absent_weight=config.absent_weight, balance=config.balance
        )
