"""What passes between the rooms: batches, network outputs, loss terms, progress.

Shape letters: N images, C classes, T tags, F features, H W pixels, h w cells of the network's stride, S candidate sets.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Self

import torch
from torch import Tensor

UNKNOWN = 255
"""Seed value of a pixel that has more than one candidate."""

Terms = dict[str, Tensor]
"""Loss terms by name, each a weighted scalar. A term with nothing to learn is a zero that stays on the graph."""


class Head(StrEnum):
    """Optional outputs of the network, beside the logits that it always gives."""

    TAGS = "tags"
    FEATURES = "features"
    VARIANCE = "variance"
    EMBEDDING = "embedding"


@dataclass(frozen=True)
class Batch:
    """A batch of images and what is known of them. A method never changes it.

    Args:
        rgb: (N, 3, H, W) float in [0, 1], colours for the kernels; 0 on padding.
        valid: (N, H, W) bool, False on padding, which enters no loss.
        candidates: (N, H, W) uint8, index into ``sets``.
        sets: (N, S, C) bool, classes a pixel may have; ``sets[:, 0]`` is what is known of the whole image.
        tags: (N, C) bool, classes known to be present.
        tags_known: (N, C) bool, classes of which presence or absence is known.
        boxes: One (B, 4) float tensor an image: x0 y0 x1 y1 in pixels of the crop; they may leave it.
        box_classes: One (B,) int64 tensor an image.
        ids: Image names.
        mean, std: (B,) of the encoder's normalisation.
        soft: (N, C, H, W) soft labels of an earlier stage, or None. A pixel whose values are all 0 has none.
        subtags: (N, C, K) int8, which of the K sub-categories of each class an image shows, as an earlier stage found
            them: 1 this one, 0 not this one, -1 nothing known; or None.
        hinted: (N, H, W) bool, pixels whose seed a person gave, where an earlier stage labelled others; None where all
            seeds are a person's.
        bands: (N, B, H, W) float in [0, 1], what the encoder sees where that is something else than ``rgb``; or None.
    """

    rgb: Tensor
    valid: Tensor
    candidates: Tensor
    sets: Tensor
    tags: Tensor
    tags_known: Tensor
    boxes: tuple[Tensor, ...]
    box_classes: tuple[Tensor, ...]
    ids: tuple[str, ...]
    mean: Tensor
    std: Tensor
    soft: Tensor | None = None
    subtags: Tensor | None = None
    hinted: Tensor | None = None
    bands: Tensor | None = None

    @property
    def image(self) -> Tensor:
        """(N, B, H, W) normalised for the encoder; 0, the mean colour, on padding."""
        view = (1, -1, 1, 1)
        seen = self.rgb if self.bands is None else self.bands
        return (seen - self.mean.view(view)) / self.std.view(view) * self.valid[:, None]

    @property
    def classes(self) -> int:
        """C, the size of the class table."""
        return self.sets.shape[2]

    def seeds(self) -> Tensor:
        """(N, H, W) uint8: class of the valid pixels that a hint left one candidate, `UNKNOWN` elsewhere."""
        single = self.sets.sum(dim=2) == 1
        single[:, 0] = False  # what tags say of the whole image is no hint on a pixel
        table = torch.where(single, self.sets.int().argmax(dim=2), UNKNOWN).to(torch.uint8)  # (N, S)
        seeds = table.gather(1, self.candidates.flatten(1).long()).view_as(self.candidates)
        return seeds.masked_fill(~self.valid, UNKNOWN)

    def to(self, device: torch.device) -> Self:
        """The batch with every tensor on ``device``."""
        moved: dict[str, object] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                moved[item.name] = value.to(device, non_blocking=True)
            elif item.name in ("boxes", "box_classes"):
                moved[item.name] = tuple(tensor.to(device) for tensor in value)
        return replace(self, **moved)  # type: ignore[arg-type]  # field names are those of the record


@dataclass(frozen=True)
class NetOutput:
    """What the network says of a batch.

    Args:
        logits: (N, C, h, w) at the decoder's stride; bilinear upsampling to ``size`` is the prediction.
        size: (H, W) of the images.
        tag_logits: (N, C) or None.
        tag_maps: (N, C, h', w') or None: the tag head at every cell of the deepest features. Where there is no padding
            and no dropout, ``tag_logits`` are their means.
        sub_logits: (N, C, K) or None: as ``tag_logits``, for K sub-categories of every class.
        responses: (N, C, h, w) >= 0 or None: ``relu(tag_maps)`` summed over the scales of
            `Learner.response_scales`, without gradient.
        labels: What `Learner.make_labels` made of this output, hard or soft, or None.
        features: (N, F, h', w') last encoder features or None.
        variance: (N, 1, h, w), positive, or None.
        embedding: (N, E, h, w) or None.
    """

    logits: Tensor
    size: tuple[int, int]
    tag_logits: Tensor | None = None
    tag_maps: Tensor | None = None
    sub_logits: Tensor | None = None
    responses: Tensor | None = None
    labels: Tensor | None = None
    features: Tensor | None = None
    variance: Tensor | None = None
    embedding: Tensor | None = None

    def upsampled(self) -> Tensor:
        """(N, C, H, W) logits at the images' size (bilinear, corners not aligned), contiguous."""
        logits = self.logits.contiguous()  # else channels last, whose softmax takes more than twice the time on a CPU
        return torch.nn.functional.interpolate(logits, size=self.size, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Progress:
    """Where a stage of training stands.

    Args:
        step: Optimiser steps already done, from 0.
        steps: Optimiser steps in the stage.
        stage: Name of the stage.
    """

    step: int
    steps: int
    stage: str = "train"

    @property
    def fraction(self) -> float:
        """Share of the stage that is done, 0 to 1."""
        return self.step / max(self.steps, 1)
