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

SMALL, LARGE = 480, 1024
"""Longest sides in pixels. Images below the first are enlarged to it, by at most `MOST_ENLARGED`; images above the
second are reduced to it. Both were chosen on MSRC-21 ``val`` (docs/methods/quick.md)."""

MOST_ENLARGED = 2.0


class QuickConfig(Config):
    """Settings of quick.

    Attributes:
        penalty: Penalty on the squared weights; see `fit_linear`.
        share: Part of the logarithm of the classes' shares of the marks in the scores; see `fit_linear`. 0 finds more
            of rare classes, 1 errs on fewer pixels.
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
        """The encoder of the run with a linear decoder, at a scale that suits the size of the images."""
        scale = min(MOST_ENLARGED, SMALL / side) if side < SMALL else min(1.0, LARGE / side)
        return model.model_copy(update={"architecture": "linear", "scale": round(scale, 4)})

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """Raise `ConfigError`: no stage of this method has gradient steps."""
        raise ConfigError("the method quick has no loss", fix="its only stage is fitted, see `Learner.fit`")

    def fit(self, stage: Stage, fitting: Fitting) -> LinearModel:
        """Fit the linear model on the marked pixels of all images."""
        config = self.config
        rows = marked_rows(fitting.images(), fitting.bank, len(self.classes), seed=fitting.seed, density=config.density)
        penalty = config.penalty * fitting.bank.penalties
        return fit_rows(rows, self.classes.background, penalty=penalty, share=config.share)
