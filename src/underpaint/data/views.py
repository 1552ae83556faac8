"""A view: a random scale, crop and flip that torchvision applies to image, labels, points and boxes alike.

Points are transformed as boxes without area. torchvision flips its key points as pixel indices (x becomes W - 1 - x)
but resizes them as continuous coordinates, which shifts them by up to half a pixel. It treats boxes as continuous
coordinates in both cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, field_validator
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as V

from underpaint.core.classes import VOID
from underpaint.core.config import FREE, Config
from underpaint.datasets.sizes import crop_side

Coordinates = npt.NDArray[np.float64]

MAX_CROP = 8192
"""Largest side of a crop in pixels: such a crop needs several gigabytes of memory in a network."""

MIN_SCALE = 0.01
"""Smallest factor on the size of an image; the largest is its inverse."""


class ViewConfig(Config):
    """Settings of the random crops (views) that the network is trained on.

    Attributes:
        crop: (height, width) of the training crops in pixels of the image: multiples of 16 for the decoder
            deeplabv3plus, of 32 for the other decoders. ``auto`` means squares that have about
            256 x 256 pixels after ``model.scale`` has enlarged or reduced them.
        scales: Smallest and largest factor on an image's size, each from 0.01 to 100.
        flip: Mirror half of the views. Turn it off if left and right differ in meaning.
        colour_jitter: Brightness, contrast and saturation change by up to this share, 0 to 1.
        cache_mb: Memory for decoded images in MiB, for each loading process.
    """

    crop: tuple[int, int] | Literal["auto"] = "auto"
    scales: tuple[float, float] = (0.75, 1.5)
    flip: bool = True
    colour_jitter: float = Field(default=0.2, ge=0, lt=1)
    cache_mb: Annotated[int, FREE] = Field(default=1024, ge=0)

    @field_validator("crop", mode="before")
    @classmethod
    def _auto_or_sides(cls, crop: Any) -> Any:
        if crop != "auto" and not (isinstance(crop, list | tuple) and len(crop) == 2):
            raise ValueError(f"must be auto or [height, width], such as [256, 256] (got {str(crop)[:40]!r})")
        return crop

    @field_validator("crop")
    @classmethod
    def _crop_in_memory(cls, crop: tuple[int, int] | Literal["auto"]) -> tuple[int, int] | Literal["auto"]:
        if crop != "auto" and not all(1 <= side <= MAX_CROP for side in crop):
            raise ValueError(f"the crop is {crop[0]} x {crop[1]} pixels; accepted are sides of 1 to {MAX_CROP}")
        return crop

    @field_validator("scales")
    @classmethod
    def _scales_in_order(cls, scales: tuple[float, float]) -> tuple[float, float]:
        if not MIN_SCALE <= scales[0] <= scales[1] <= 1 / MIN_SCALE:
            raise ValueError(f"scales are a smallest and a largest factor from {MIN_SCALE} to {1 / MIN_SCALE:g}")
        return scales

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the crops in pixels; ``auto`` as for images that are not enlarged."""
        return self.sized(1.0).shape if self.crop == "auto" else self.crop

    @property
    def field(self) -> int:
        """Pixels of the image along the longer side of the largest view."""
        return math.ceil(max(self.shape) / self.scales[0])

    def sized(self, scale: float) -> ViewConfig:
        """The same settings with numbers for `crop`, for a network that enlarges images by ``scale``."""
        if self.crop != "auto":
            return self
        side = crop_side(scale)
        return self.model_copy(update={"crop": (side, side)})


@dataclass(frozen=True)
class View:
    """A window of the source image, resized and placed on a canvas.

    Args:
        top, left, height, width: Window in the source image, inside it.
        size: (h, w) that the window is resized to.
        offset: (row, column) of the window on the canvas.
        canvas: (H, W) of the result; what the window does not cover is padding.
        flip: Whether the result is mirrored left to right.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]
    offset: tuple[int, int]
    canvas: tuple[int, int]
    flip: bool

    @property
    def _padding(self) -> list[int]:
        row, column = self.offset
        return [column, row, self.canvas[1] - column - self.size[1], self.canvas[0] - row - self.size[0]]

    def image(self, pixels: Tensor) -> Tensor:
        """(K, H', W') uint8 through the view, bilinear; padding is 0."""
        return self._apply(tv_tensors.Image(pixels), 0.0)

    def labels(self, index: Tensor) -> Tensor:
        """(H', W') uint8 class indices through the view, nearest; padding is `VOID`.

        Not as torchvision's `Mask`: that takes the pixel at the cell's corner instead of the one at its centre, which
        moves labels by half a pixel against the image.
        """
        return self._apply(tv_tensors.Image(index), float(VOID), InterpolationMode.NEAREST_EXACT)[0]

    def boxes(self, boxes: Coordinates, source: tuple[int, int]) -> Coordinates:
        """(B, 4) x0 y0 x1 y1 through the view; they may leave the canvas."""
        if len(boxes) == 0:
            return boxes
        corners = tv_tensors.BoundingBoxes(
            torch.from_numpy(boxes), format="XYXY", canvas_size=source, clamping_mode=None
        )
        moved: Coordinates = self._apply(corners, 0.0).numpy()
        return moved

    def points(self, points: Coordinates, source: tuple[int, int]) -> Coordinates:
        """(P, 2) x y through the view; they may leave the canvas."""
        return self.boxes(np.concatenate([points, points], axis=1), source)[:, :2]

    @property
    def factor(self) -> float:
        """Factor by which the view enlarges: the mean of the factors of both sides, which differ only by rounding."""
        return float(np.sqrt(self.size[0] * self.size[1] / (self.height * self.width)))

    def valid(self) -> Tensor:
        """(H, W) bool, False on padding."""
        canvas = torch.zeros(self.canvas, dtype=torch.bool)
        row, column = self.offset
        canvas[row : row + self.size[0], column : column + self.size[1]] = True
        return canvas.flip(1) if self.flip else canvas

    def _apply(
        self, item: Tensor, fill: float, interpolation: InterpolationMode = InterpolationMode.BILINEAR
    ) -> Tensor:
        item = V.crop(item, self.top, self.left, self.height, self.width)
        item = V.resize(item, list(self.size), interpolation, antialias=True)
        item = V.pad(item, self._padding, fill=fill)
        if self.flip:
            item = V.horizontal_flip(item)
        return item.as_subclass(Tensor)


TRIES = 8
"""Number of windows that are drawn at random before one is placed around a hint."""


def draw_view(
    rng: np.random.Generator,
    source: tuple[int, int],
    canvas: tuple[int, int],
    *,
    scales: tuple[float, float],
    flip: bool,
    anchors: Coordinates,
) -> View:
    """Draw a view that contains at least one hint, if the image has any.

    Up to `TRIES` windows are drawn uniformly. If none of them contains a hint, a window is placed around a random hint.
    So crops are hardly biased towards hints, and every crop has something to learn from.

    Args:
        rng: Random generator.
        source: (H', W') of the image.
        canvas: (H, W) of the result.
        scales: Smallest and largest factor on the image's size, drawn log-uniformly.
        flip: Whether to mirror half of the views.
        anchors: (A, 2) x and y of points of which the view should contain one; empty if any window is accepted.
    """
    factor = float(np.exp(rng.uniform(np.log(scales[0]), np.log(scales[1]))))
    mirrored = bool(flip and rng.random() < 0.5)
    height, width = (min(max(round(canvas[i] / factor), 1), source[i]) for i in range(2))
    spare = (source[0] - height, source[1] - width)
    for _ in range(TRIES):
        top, left = (int(rng.integers(0, room + 1)) for room in spare)
        if len(anchors) == 0 or _contains((top, left), (height, width), anchors):
            break
    else:
        column, row = anchors[rng.integers(len(anchors))]
        top = _start_around(rng, int(row), height, spare[0])
        left = _start_around(rng, int(column), width, spare[1])
    size = (min(max(round(height * factor), 1), canvas[0]), min(max(round(width * factor), 1), canvas[1]))
    offset = (int(rng.integers(0, canvas[0] - size[0] + 1)), int(rng.integers(0, canvas[1] - size[1] + 1)))
    return View(top, left, height, width, size, offset, canvas, mirrored)


def _start_around(rng: np.random.Generator, position: int, extent: int, spare: int) -> int:
    """Random start of a window of ``extent`` pixels within the image that contains ``position``, if the image does."""
    low, high = max(0, position - extent + 1), max(0, min(position, spare))
    return int(rng.integers(min(low, high), high + 1))


def _contains(corner: tuple[int, int], extent: tuple[int, int], anchors: Coordinates) -> bool:
    start = np.array(corner[::-1])
    inside = (anchors >= start) & (anchors < start + np.array(extent[::-1]))
    return bool(inside.all(axis=1).any())


def jitter_colours(rgb: Tensor, rng: np.random.Generator, strength: float) -> Tensor:
    """(3, H, W) float in [0, 1] with brightness, contrast and saturation scaled by factors in 1 +- ``strength``."""
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, size=3)
    grey = rgb.mean(dim=0, keepdim=True)
    # (grey + (rgb - grey) s - m) c + m, times b, as one weighted sum of colour, grey and a constant.
    middle = float(grey.mean())
    mixed = torch.add(rgb * (saturation * contrast), grey, alpha=float((1 - saturation) * contrast))
    return mixed.add_(middle * (1 - contrast)).mul_(brightness).clamp_(0, 1)
