"""The sizes of the images of a training."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress

from underpaint.core.errors import DataError
from underpaint.datasets.folder import DataFolder
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import image_size

SIZES = 64
"""Number of images whose size is read of a training."""

SMALL, MOST_ENLARGED = 480, 2.0
"""Images whose longest side has fewer pixels are enlarged to it, by at most this factor. Both were chosen on MSRC-21
``val`` (docs/methods/quick.md)."""

SEEN, CROP_UNIT = 256, 32
"""Least side in pixels of the network of a usual training crop, and the number that divides the sides of crops, because
every decoder takes these."""


def some_sizes(data: DataFolder, hints: Mapping[str, Hints]) -> list[tuple[int, int]]:
    """(H, W) of some of the images. Unreadable images are not counted; the training reports them."""
    some = [data.images[name] for name in sorted(hints) if name in data.images][:: -(-len(hints) // SIZES) or 1]
    sizes = []
    for path in some:
        with suppress(DataError):
            sizes.append(image_size(path))
    return sizes


def median_side(sizes: Sequence[tuple[int, int]]) -> float:
    """Median longest side, or 1 if no image can be read, which the training reports."""
    return statistics.median(max(size) for size in sizes) if sizes else 1.0


def enlargement(side: float) -> float:
    """The factor by which a network enlarges images whose longest side usually has ``side`` pixels, 1 or more."""
    return round(min(MOST_ENLARGED, max(1.0, SMALL / side)), 4)


def crop_side(scale: float) -> int:
    """Side in pixels of the image of a usual crop, for a network that enlarges or reduces images by ``scale``."""
    return CROP_UNIT * math.ceil(SEEN / scale / CROP_UNIT)
