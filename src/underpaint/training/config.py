"""The settings of a run: everything that a recipe may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from underpaint.core.config import FREE, Config, Settings
from underpaint.data.sampling import SamplingConfig
from underpaint.data.views import ViewConfig
from underpaint.doctor.estimate import WORKING
from underpaint.imagefiles.window import Window, checked
from underpaint.methods.about import NAME
from underpaint.models.network import DIVISOR, ModelConfig

Precision = Literal["auto", "32-true", "bf16-mixed"]

LEAST_CROP = 32
"""Pixels of the shortest side of a crop."""


class TrainConfig(Config):
    """Settings of the optimisation.

    Attributes:
        epochs: Passes over the images in a stage of length 1.
        least_steps: Optimiser steps that a stage of length 1 has at least, where passes over a small set would be
            fewer. 0 where ``epochs`` is stated: a stated number of passes is taken as it is.
        batch: Images an optimiser step, over all accumulated parts.
        accumulate: Parts that a batch is split into, one after the other, to save memory.
        lr: Peak learning rate of decoder and heads (AdamW).
        encoder_lr: Factor on ``lr`` for the pre-trained encoder.
        weight_decay: Decoupled, on convolution weights; never on norms and biases.
        warmup: Share of the steps over which the rate rises from 0.
        power: Of the polynomial decay to 0 (DeepLab's 0.9).
        ema: Decay of an average of the weights over the steps, which is then what predicts; 0 for none.
        precision: ``auto`` is 32 bit on a CPU and bfloat16 mixed on a GPU that has it. ``bf16-mixed`` saves a quarter
            of the step on a CPU with AVX-512 BF16, and is slower on others. 16-bit floats of the other kind are not
            offered: they overflow, and would need a scale of the loss that is part of every checkpoint.
        workers: Processes that load samples; 0 loads between the steps.
        checkpoint_every: Steps between checkpoints.
        gradient_clip: Largest norm of the gradient; 0 for none.
    """

    epochs: float = Field(default=20.0, gt=0, le=1e6)
    least_steps: int = Field(default=80, ge=0)
    batch: int = Field(default=8, ge=1, le=4096)
    accumulate: int = Field(default=1, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    encoder_lr: float = Field(default=0.3, ge=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    power: float = Field(default=0.9, gt=0)
    ema: float = Field(default=0.0, ge=0, lt=1)
    precision: Precision = "auto"
    workers: Annotated[int, FREE] = Field(default=1, ge=0, le=256)
    checkpoint_every: Annotated[int, FREE] = Field(default=200, ge=1)
    gradient_clip: float = Field(default=1.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _stated_epochs_hold(cls, settings: Any) -> Any:
        stated = isinstance(settings, dict) and "epochs" in settings
        return {"least_steps": 0, **settings} if stated else settings

    def steps(self, images: int, length: float) -> int:
        """Optimiser steps of a stage over ``images`` images, whose passes are ``length`` times those of the recipe."""
        passes = round(images * self.epochs * length / self.batch)
        return max(1, passes, round(self.least_steps * length))


class DataConfig(Config):
    """Settings of reading.

    Attributes:
        window: Lower and upper value, 0 to 65535, of photographs of 16 bits a channel that become black and white
            (`underpaint.imagefiles.window`); ``auto`` takes percentiles over the photographs that are learned from. The
            run keeps the numbers, and prediction uses them. Photographs of 8 bits do not feel it.
        working: Longest side in pixels at which labels are made between the stages, by local models and energies.
            Larger photographs are made smaller for it, and the labels larger again; crops for training and predicted
            masks keep the photograph's own size.
    """

    window: Window | Literal["auto"] = "auto"
    working: int = Field(default=WORKING, ge=256)

    @field_validator("window")
    @classmethod
    def _in_order(cls, window: Window | Literal["auto"]) -> Window | Literal["auto"]:
        return window if window == "auto" else checked(window)

    @property
    def fixed(self) -> Window | None:
        """The window in numbers; None where there is none, as of photographs of 8 bits alone."""
        return None if self.window == "auto" else self.window


class MethodConfig(Config):
    """Which method, and its own settings.

    Attributes:
        name: One of `underpaint methods`.
        settings: The method's; see its page.
    """

    name: str = Field(pattern=NAME)
    settings: Settings = Field(default_factory=dict)


class RunConfig(Config):
    """All settings of a run. The resolved file in the run folder alone repeats the run.

    Attributes:
        seed: Of every random choice.
    """

    method: MethodConfig
    model: ModelConfig = ModelConfig()
    views: ViewConfig = ViewConfig()
    sampling: SamplingConfig = SamplingConfig()
    train: TrainConfig = TrainConfig()
    data: DataConfig = DataConfig()
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _norm_has_enough(self) -> RunConfig:
        part = self.train.batch / self.train.accumulate
        if part != int(part):
            raise ValueError(f"a batch of {self.train.batch} cannot be split into {self.train.accumulate} equal parts")
        if part < 2 and self.model.architecture == "deeplabv3plus":
            raise ValueError(
                "deeplabv3plus normalises its pooled features over the images of a batch, or of its part with "
                "train.accumulate: that must be 2 or more; or use model.architecture=fpn"
            )
        return self

    @model_validator(mode="after")
    def _crop_fits(self) -> RunConfig:
        divisor, crop = DIVISOR[self.model.architecture], self.views.crop
        nearest = tuple(max(-(-LEAST_CROP // divisor), round(side / divisor)) * divisor for side in crop)
        if any(side < LEAST_CROP or side % divisor for side in crop):
            raise ValueError(
                f"crop {crop} does not fit {self.model.architecture}, which needs multiples of {divisor}, "
                f"{LEAST_CROP} or more; the nearest that does is {nearest}"
            )
        return self
