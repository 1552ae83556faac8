"""The records that packages exchange: batches, network outputs, loss terms and progress.

Letters of shapes: N images, C classes, K sub-categories, B bands or boxes, F features, S candidate sets, (H, W) pixels,
(h, w) cells at the stride of the decoder, (h', w') cells at the stride of the encoder.
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
"""Loss terms by name, each a weighted scalar. A term without anything to learn is a zero with a gradient of zero."""


class Head(StrEnum):
    """Optional outputs of the network, in addition to the logits, which it always has."""

    TAGS = "tags"
    FEATURES = "features"
    VARIANCE = "variance"
    EMBEDDING = "embedding"


@dataclass(frozen=True)
class Batch:
    """A batch of images and their hints. A method must not change it.

    Args:
        rgb: (N, 3, H, W) float in [0, 1], the colours for the kernels; 0 on padding.
        valid: (N, H, W) bool, False on padding, which is left out of all losses.
        candidates: (N, H, W) uint8, the index of the candidate set of each pixel in ``sets``.
        sets: (N, S, C) bool, the classes that a pixel may have; ``sets[:, 0]`` holds for the whole image.
        tags: (N, C) bool, the classes that are known to be present.
        tags_known: (N, C) bool, the classes whose presence or absence is known.
        boxes: One (B, 4) float tensor per image: x0 y0 x1 y1 in pixels of the crop; boxes may extend beyond it.
        box_classes: One (B,) int64 tensor per image.
        ids: Names of the images.
        mean, std: (B,) the normalisation of the encoder.
        soft: (N, C, H, W) soft labels of an earlier stage, or None. A pixel whose values are all 0 has no label.
        subtags: (N, C, K) int8, the sub-category of each class according to an earlier stage: 1 for the one that the
            image shows, 0 for the others, -1 if it is not known; or None.
        hinted: (N, H, W) bool, the pixels whose seed a person gave, if an earlier stage gave seeds to others; None if
            all seeds were given by a person.
        bands: (N, B, H, W) float in [0, 1], the input of the encoder if it is not ``rgb``; or None.
        scene: (N, F) means of the pre-trained encoder's deepest features over the whole images of which the batch shows
            crops, NaN for images for which they are not known; None for a network that does not use them.
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
    scene: Tensor | None = None

    @property
    def image(self) -> Tensor:
        """(N, B, H, W), the input of the encoder, normalised; 0, the mean colour, on padding."""
        view = (1, -1, 1, 1)
        values = self.rgb if self.bands is None else self.bands
        return (values - self.mean.view(view)) / self.std.view(view) * self.valid[:, None]

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return self.sets.shape[2]

    def seeds(self) -> Tensor:
        """Return (N, H, W) uint8: the class of valid pixels whose hint leaves one candidate, `UNKNOWN` elsewhere."""
        single = self.sets.sum(dim=2) == 1
        single[:, 0] = False  # the tags of the whole image are not a hint for a pixel
        table = torch.where(single, self.sets.int().argmax(dim=2), UNKNOWN).to(torch.uint8)  # (N, S)
        seeds = table.gather(1, self.candidates.flatten(1).long()).view_as(self.candidates)
        return seeds.masked_fill(~self.valid, UNKNOWN)

    def to(self, device: torch.device) -> Self:
        """Return the batch with every tensor on ``device``."""
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
    """The output of the network for a batch. Outputs that were not requested are None.

    Args:
        logits: (N, C, h, w) at the stride of the decoder; the prediction is their bilinear upsampling to ``size``.
        size: (H, W) of the images.
        tag_logits: (N, C), the logits of the tags of the whole image.
        tag_maps: (N, C, h', w'), the tag head applied to every cell of the deepest features. Without padding and
            dropout, their mean is ``tag_logits``.
        sub_logits: (N, C, K), the same as ``tag_logits`` for K sub-categories of every class.
        responses: (N, C, h, w) >= 0, class activation maps: ``relu(tag_maps)`` summed over the scales of
            `Learner.response_scales`, without gradient.
        labels: The hard or soft labels that `Learner.make_labels` made from this output.
        features: (N, F, h', w'), the last features of the encoder.
        variance: (N, 1, h, w), positive.
        embedding: (N, E, h, w).
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
        """Return (N, C, H, W) contiguous logits at the size of the images (bilinear, corners not aligned)."""
        logits = self.logits.contiguous()  # on a CPU, softmax of channels-last tensors takes more than twice the time
        return torch.nn.functional.interpolate(logits, size=self.size, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Progress:
    """The progress of a training stage.

    Args:
        step: Number of optimiser steps that are done, from 0.
        steps: Number of optimiser steps in the stage.
        stage: Name of the stage.
    """

    step: int
    steps: int
    stage: str = "train"

    @property
    def fraction(self) -> float:
        """Fraction of the stage that is done, from 0 to 1."""
        return self.step / max(self.steps, 1)
