"""The settings of a run: everything that a configuration file can contain."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from underpaint.core.config import FREE, Config, Settings
from underpaint.data.sampling import SamplingConfig
from underpaint.data.views import ViewConfig
from underpaint.doctor.estimate import WORKING
from underpaint.imagefiles.readers.base import MAX_BANDS
from underpaint.imagefiles.rule import ReadingRule
from underpaint.imagefiles.survey import WindowChoice
from underpaint.imagefiles.window import checked
from underpaint.methods.about import NAME
from underpaint.models.config import ModelConfig
from underpaint.models.network import DIVISOR

Precision = Literal["auto", "32-true", "bf16-mixed"]

LEAST_CROP = 32
"""Smallest accepted side of a crop in pixels."""


class TrainConfig(Config):
    """Settings of the optimisation.

    Attributes:
        epochs: Passes over the images in a stage of length 1.
        least_steps: Least number of optimiser steps of a stage of length 1. It matters for small data sets, for which
            the passes would be fewer steps. It is 0 if ``epochs`` is given: a given number of passes is used as it is.
        batch: Number of images in an optimiser step, over all parts and all devices.
        accumulate: Number of parts into which a batch is split. A loss and a batch normalisation see one part at a
            time. One device computes the parts one after the other, which saves memory; several devices share them.
        devices: Number of devices of this machine, or of each machine, that train together: GPUs, or cores where there
            is no GPU. The weights depend on ``accumulate``, which must be a multiple of ``devices`` times ``nodes``,
            and not on how many devices share the parts.
        nodes: Number of machines that train together. More than one needs a launcher: torchrun or srun.
        lr: Peak learning rate of decoder and heads (AdamW).
        encoder_lr: Factor on ``lr`` for the pre-trained encoder.
        weight_decay: Decoupled weight decay of the convolution weights; normalisation layers and biases have none.
        warmup: Share of the steps over which the learning rate rises from 0.
        power: Exponent of the polynomial decay of the learning rate to 0 (0.9 in DeepLab).
        ema: Decay of an exponential moving average of the weights. If it is above 0, the average is the trained
            network; 0 uses the last weights.
        precision: ``auto`` is 32 bit on a CPU, and bfloat16 mixed precision on a GPU that supports it. ``bf16-mixed``
            saves a quarter of the time of a step on a CPU with AVX-512 BF16, and is slower on other CPUs. float16 is
            not offered: it overflows, and it would need a loss scale as a part of every checkpoint.
        workers: Number of processes that load samples for each device; with 0, samples are loaded between the steps.
        checkpoint_every: Number of steps between two checkpoints.
        gradient_clip: Largest norm of the gradient; 0 for no limit.
    """

    epochs: float = Field(default=20.0, gt=0, le=1e6)
    least_steps: int = Field(default=80, ge=0)
    batch: int = Field(default=8, ge=1, le=4096)
    accumulate: int = Field(default=1, ge=1)
    devices: Annotated[int, FREE] = Field(default=1, ge=1, le=4096)
    nodes: Annotated[int, FREE] = Field(default=1, ge=1, le=4096)
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

    @model_validator(mode="after")
    def _ranks_share_the_parts(self) -> TrainConfig:
        if self.accumulate % self.ranks:
            parts = _next_multiple(self.accumulate, self.ranks)
            raise ValueError(
                f"{self.ranks} devices (train.devices times train.nodes) cannot share {self.accumulate} part(s) of a "
                f"batch equally; set train.accumulate to a multiple of {self.ranks} that divides train.batch, such as "
                f"{parts} with train.batch={_next_multiple(self.batch, parts)}"
            )
        return self

    @property
    def ranks(self) -> int:
        """Number of processes that train together, one for each device."""
        return self.devices * self.nodes

    def steps(self, images: int, length: float) -> int:
        """Number of optimiser steps of a stage with ``images`` images and ``length`` times the configured passes."""
        passes = round(images * self.epochs * length / self.batch)
        return max(1, passes, round(self.least_steps * length))


def _next_multiple(number: int, factor: int) -> int:
    """The smallest multiple of ``factor`` that is not below ``number``."""
    return -(-number // factor) * factor


class DataConfig(Config):
    """Settings for reading images.

    Attributes:
        working: Longest side in pixels at which pseudo-labels are made between the stages, by local models and CRFs.
            Larger images are reduced to this size for it, and the labels are enlarged afterwards. Training crops and
            predicted masks keep the image's own size.
    """

    working: int = Field(default=WORKING, ge=256)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(one, int | float) for one in value)


class ImagesConfig(Config):
    """Settings of what a network sees of the image files (`underpaint.imagefiles.rule`).

    Attributes:
        bands: Names of the bands, 1 to 16, in order; ``auto`` sees pictures in colours, and images that all have the
            same other bands in all of these. The run keeps the names, and prediction looks for the same bands.
        window: Lower and upper value of images of more than 8 bits that become black and white: ``dataset``, the
            percentiles 0.5 and 99.5 over the images that are learned from; ``image``, those of each image; two numbers,
            or two for each chosen band. The run keeps the numbers, and prediction uses them. Images of 8 bits do not
            feel it.
    """

    bands: tuple[str, ...] | Literal["auto"] = "auto"
    window: WindowChoice = "dataset"

    @field_validator("bands", mode="before")
    @classmethod
    def _as_names(cls, bands: Any) -> Any:
        if bands != "auto" and not isinstance(bands, list | tuple):
            raise ValueError(f"must be auto or a list of names, such as [nir, red] (got {str(bands)[:40]!r})")
        return bands if bands == "auto" else [str(name) for name in bands]

    @field_validator("bands")
    @classmethod
    def _few_that_differ(cls, bands: tuple[str, ...] | Literal["auto"]) -> tuple[str, ...] | Literal["auto"]:
        if bands != "auto" and (len(bands) > MAX_BANDS or len(set(bands)) < len(bands)):
            raise ValueError(f"bands are up to {MAX_BANDS} different names")
        return bands

    @field_validator("window", mode="before")
    @classmethod
    def _as_windows(cls, window: Any) -> Any:
        several = isinstance(window, list | tuple) and all(isinstance(one, list | tuple) for one in window)
        if window not in ("dataset", "image") and not all(map(_is_pair, window if several and window else [window])):
            what = "must be dataset, image, two numbers such as [0, 4095], or a list of two numbers for each band"
            raise ValueError(f"{what} (got {str(window)[:40]!r})")
        return window

    @field_validator("window")
    @classmethod
    def _in_order(cls, window: WindowChoice) -> WindowChoice:
        if not isinstance(window, str):
            for one in window if isinstance(window[0], tuple) else (window,):
                checked(one)
        return window

    @property
    def rule(self) -> ReadingRule:
        """Bands and windows; without numbers where the training saw no image of more than 8 bits."""
        windows = None if isinstance(self.window, str) else self.window
        if windows is not None and not isinstance(windows[0], tuple):
            windows = (windows,)
        return ReadingRule(() if self.bands == "auto" else self.bands, windows, self.window == "image")


class MethodConfig(Config):
    """The method and its own settings.

    Attributes:
        name: Name of a method; `underpaint methods` lists them.
        settings: Settings of the method; its documentation page explains them.
    """

    name: str = Field(pattern=NAME)
    settings: Settings = Field(default_factory=dict)


class RunConfig(Config):
    """All settings of a run. The file ``config.yaml`` in the run folder contains all of them and repeats the run.

    Attributes:
        seed: Seed of all random numbers, 0 or more.
    """

    method: MethodConfig
    model: ModelConfig = ModelConfig()
    views: ViewConfig = ViewConfig()
    sampling: SamplingConfig = SamplingConfig()
    train: TrainConfig = TrainConfig()
    data: DataConfig = DataConfig()
    images: ImagesConfig = ImagesConfig()
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
        if self.model.architecture == "linear":  # fitted on whole images: it draws no crops
            return self
        divisor, crop = DIVISOR[self.model.architecture], self.views.shape
        nearest = tuple(max(-(-LEAST_CROP // divisor), round(side / divisor)) * divisor for side in crop)
        if any(side < LEAST_CROP or side % divisor for side in crop):
            raise ValueError(
                f"crop {crop} does not fit {self.model.architecture}, which needs multiples of {divisor}, "
                f"{LEAST_CROP} or more; the nearest that does is {nearest}"
            )
        return self
