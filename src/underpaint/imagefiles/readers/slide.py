"""Whole-slide images, read with tiffslide: the finest level, region by region."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from underpaint.imagefiles.readers.base import (
    About,
    Box,
    OpenImage,
    Values,
    checked_about,
    explained,
    library,
    require_file,
)


class SlideImage:
    """The finest level of a slide."""

    def __init__(self, about: About, slide: Any) -> None:
        self.about, self._slide = about, slide

    def read(self, box: Box) -> Values:
        """(h, w, 3) colours of a region."""
        top, bottom, left, right = box
        region = self._slide.read_region((left, top), 0, (right - left, bottom - top), as_array=True)
        return np.asarray(region)[..., :3]


@contextmanager
def open_slide(path: Path) -> Iterator[OpenImage]:
    """Open a slide. Raises `DataError` if it is damaged or the extra ``slide`` is not installed."""
    require_file(path)
    tiffslide = library("tiffslide", "slide", path, "a slide of a scanner")
    with explained(path, "the slide"), tiffslide.TiffSlide(path) as slide:
        width, height = slide.dimensions
        sides = [slide.properties.get(f"tiffslide.mpp-{axis}") for axis in "yx"]
        known = all(isinstance(side, int | float) and side > 0 for side in sides)
        about = About(
            kind=f"slide of {slide.level_count} levels",
            size=(int(height), int(width)),
            bands=("red", "green", "blue"),
            dtype=np.dtype(np.uint8),
            colour=True,
            spacing=(float(sides[0]), float(sides[1])) if known else None,
            unit="um" if known else "",
            by_regions=True,
        )
        yield SlideImage(checked_about(about, path), slide)
