"""Settings of the network."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from pydantic import Field, field_validator

from underpaint.core.config import Config
from underpaint.datasets.sizes import enlargement

Architecture = Literal["deeplabv3plus", "fpn", "unet", "dpt", "linear"]

MIN_SCALE, MAX_SCALE = 0.1, 4.0
"""Limits of `ModelConfig.scale`."""


class ModelConfig(Config):
    """Settings of the network.

    Attributes:
        architecture: Decoder. DeepLabV3+ (Chen et al., ECCV 2018) predicts at a quarter of the image's size. ``linear``
            is one linear layer on several levels of features (`underpaint.models.linear`), which the method `quick`
            fits; it supports no other head than the tag head. ``dpt`` (Ranftl et al., ICCV 2021) is for vision
            transformers.
        encoder: Any timm model that returns feature maps, by timm's name. For ``dpt`` and ``linear`` also vision
            transformers with one grid of patches (ViT, DeiT, DINOv2, DINOv3, EVA).
        weights: ``auto`` (the bundled ImageNet weights, otherwise timm's weights from the hub's cache), ``none``, or
            the path of a safetensors file with the encoder's tensors under timm's names.
        width: Channels of the decoder; 128 instead of the paper's 256 makes a training step a fifth faster on a CPU.
        freeze_batch_norm: Keep the pre-trained statistics and scales of the encoder's batch normalisation. Statistics
            of batches of 8 are noisy, and a step is faster without computing them.
        freeze_to: Keep the pre-trained weights of the encoder's layers up to this stride; 0 for none. The first layers
            detect edges and colours, which are common to all images. Freezing them saves a quarter of the time of a
            step. This has no effect on vision transformers; ``train.encoder_lr=0`` keeps them whole.
        scale: Factor on the image's size before the encoder. Enlarging helps for small images: the encoder was trained
            on larger ones, and objects then cover more cells. Values below 1 make very large images smaller. ``auto``
            enlarges small images, see `enlargement`; a network that is built without a training takes it as 1.
        linear_start: Whether a linear model on the encoder's features is fitted on all marks before the first step, as
            `quick` does, and added to the decoder, whose last layer starts at 0: a training then starts from the masks
            of that model, with a learning rate of 0.3 times the usual one (docs/methods/quick.md has what it gives).
            If the hints are only tags, it is fitted on the labels that an earlier stage made.
        bands: Bands of the images, as the training settles it from ``images.bands``; 3 for pictures in colours. With
            another number the first convolution starts from the pre-trained weights as timm adapts them: of one band
            their sum over the colours; of more, red, green and blue in turn, scaled so that the sum stays.
    """

    architecture: Architecture = "deeplabv3plus"
    encoder: str = "tf_efficientnet_lite0"
    weights: str = "auto"
    width: int = Field(default=128, ge=32, le=512, multiple_of=32)
    freeze_batch_norm: bool = True
    freeze_to: Literal[0, 2, 4, 8] = 4
    scale: float | Literal["auto"] = "auto"
    linear_start: bool = True
    bands: int = Field(default=3, ge=1, le=16)

    @field_validator("scale", mode="before")
    @classmethod
    def _auto_or_in_range(cls, scale: float | str) -> float | str:
        with suppress(TypeError, ValueError, OverflowError):
            if scale == "auto" or MIN_SCALE <= float(scale) <= MAX_SCALE:
                return scale
        raise ValueError(f"must be auto or a number from {MIN_SCALE:g} to {MAX_SCALE:g} (got {str(scale)[:40]!r})")

    @property
    def factor(self) -> float:
        """`scale` as a number."""
        return 1.0 if self.scale == "auto" else self.scale

    def sized(self, side: float) -> ModelConfig:
        """The same settings with a number for `scale`.

        Args:
            side: Median longest side of the training images, in pixels.
        """
        if self.scale != "auto":
            return self
        return self.model_copy(update={"scale": enlargement(side)})
