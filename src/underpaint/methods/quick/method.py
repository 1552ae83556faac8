"""The quick model: a linear model on frozen features, fitted in seconds."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from underpaint.core.config import Config
from underpaint.core.errors import ConfigError
from underpaint.features.linear import PENALTY, SHARE, LinearModel
from underpaint.features.pixels import DENSITY
from underpaint.features.rows import fit_rows, marked_rows
from underpaint.methods.base import Method
from underpaint.methods.inference import Fitting
from underpaint.methods.quick import ABOUT
from underpaint.methods.stage import Stage, StageNetwork
from underpaint.models.config import ModelConfig
from underpaint.records import Batch, NetOutput, Progress, Terms

LARGE = 1024
"""Longest side in pixels above which images are made smaller. It was chosen on MSRC-21 ``val``
(docs/methods/quick.md)."""


class QuickConfig(Config):
    """Settings of quick.

    Attributes:
        penalty: Penalty on the squared weights; see `fit_linear`.
        share: Part of the logarithm of the classes' shares of the marks in the scores; see `fit_linear`. 0 finds more
            of rare classes, 1 errs on fewer pixels. It is 0 if all marks are clicks, which say nothing about areas.
        density: From a connected mark of n pixels, ``density * sqrt(n)`` pixels are used.
    """

    penalty: float = Field(default=PENALTY, gt=0)
    share: float = Field(default=SHARE, ge=0, le=1)
    density: float = Field(default=DENSITY, gt=0)


class Quick(Method[QuickConfig], about=ABOUT):
    """Multinomial logistic regression on features of several levels of a frozen encoder."""

    Settings: ClassVar[type[Config]] = QuickConfig

    def stages(self) -> tuple[Stage, ...]:
        """One stage without gradient steps."""
        return (Stage(name="fit", network=StageNetwork(fitted=True)),)

    def network(self, model: ModelConfig, side: float) -> ModelConfig:
        """The encoder of the run with a linear decoder; large images are made smaller, whatever the run's scale is."""
        scale = model.sized(side).factor
        if side > LARGE:
            scale = min(scale, round(LARGE / side, 4))
        return model.model_copy(update={"architecture": "linear", "scale": scale})

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Raise `ConfigError`: no stage of this method has gradient steps."""
        raise ConfigError("the method quick has no loss", fix="its only stage is fitted, see `Learner.fit`")

    def fit(self, stage: Stage, fitting: Fitting) -> LinearModel:
        """Fit the linear model on the marked pixels of all images."""
        config = self.config
        rows = marked_rows(fitting.images(), fitting.bank, len(self.classes), seed=fitting.seed, density=config.density)
        penalty = config.penalty * fitting.bank.penalties
        return fit_rows(rows, self.classes.background, penalty=penalty, share=config.share)
