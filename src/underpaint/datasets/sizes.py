"""The sizes of the images of a training."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress

from underpaint.core.errors import DataError
from underpaint.datasets.folder import DataFolder
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import image_size

SIZES = 64
"""Number of images whose size is read of a training."""


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
