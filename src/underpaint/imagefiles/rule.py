"""Converts the values of image files into the input of a network, by the choice of bands and windows of values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np

from underpaint.core.errors import DataError, listing
from underpaint.imagefiles.decode import MAX_PIXELS, Pixels
from underpaint.imagefiles.opening import kind_of, open_image
from underpaint.imagefiles.photograph import photograph_rgb
from underpaint.imagefiles.readers.base import About, Box, OpenImage, Values
from underpaint.imagefiles.slices import file_and_slice
from underpaint.imagefiles.window import Spread, Window, through

GRID = 8
"""Values of a large image are sampled in a grid of this number of parts per side."""

PART = 128
"""Side of each of these parts in pixels."""


@dataclass(frozen=True)
class ReadingRule:
    """The bands of the input of a network, and their windows.

    Args:
        bands: The names of the bands in their order; empty for colour images, in which grey is repeated.
        windows: One for all bands or one for each; None for percentiles of each image.
        each: Whether the percentiles of each image were chosen, and are not only used because windows are not known.
    """

    bands: tuple[str, ...] = ()
    windows: tuple[Window, ...] | None = None
    each: bool = False

    @property
    def count(self) -> int:
        """The number of bands of the input."""
        return len(self.bands) or 3

    def chosen(self, about: About, path: Path) -> list[int]:
        """The numbers of the bands of a file that are used, from 0.

        Raises:
            DataError: The file does not have a band, or it is not a colour image and no bands are chosen.
        """
        if not self.bands:
            if about.colour or len(about.bands) in (1, 3):
                return [0, 1, 2] if len(about.bands) >= 3 else [0, 0, 0]
            raise DataError(
                f"the image has the bands {listing(list(about.bands))}",
                where=path,
                accepted="a grey or colour picture, unless bands are chosen",
                fix=f"train with the bands chosen: --set images.bands=[{','.join(about.bands)}]",
            )
        missing = [name for name in self.bands if name not in about.bands]
        if missing:
            raise DataError(
                f"the image has no band {listing(missing)}",
                where=path,
                accepted=f"the bands {', '.join(self.bands)}; it has {', '.join(about.bands)}",
            )
        return [about.bands.index(name) for name in self.bands]


COLOUR = ReadingRule()


class InputImage:
    """An opened image whose regions are read as the input of a network.

    Args:
        image: The opened file.
        rule: Bands and windows.
        path: The path, for messages.
    """

    def __init__(self, image: OpenImage, rule: ReadingRule, path: Path) -> None:
        self.about, self.path = image.about, path
        self._image, self._rule = image, rule
        self._bands = rule.chosen(image.about, path)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.about.size

    def values(self, box: Box) -> Values:
        """(h, w, B) stored values of the chosen bands; pixels without data are NaN in floating point images."""
        values = self._image.read(box)[..., self._bands]
        if self.about.void is not None and values.dtype.kind == "f" and not np.isnan(self.about.void):
            values = np.where(values == self.about.void, np.nan, values)
        return values

    def read(self, box: Box) -> Pixels:
        """(h, w, B) uint8 of a region."""
        values = self.values(box)
        if values.dtype == np.uint8:
            return np.ascontiguousarray(values)
        if values.dtype == np.bool_:
            return values.astype(np.uint8) * np.uint8(255)
        windows = self.windows
        return np.stack([through(values[..., i], windows[i % len(windows)]) for i in range(values.shape[2])], axis=2)

    def whole(self, max_pixels: int = MAX_PIXELS) -> Pixels:
        """(H, W, B) uint8 of the whole image. Raises `DataError` if it has more pixels than the limit."""
        height, width = self.size
        if height * width > max_pixels:
            raise DataError(
                f"the image has {width} x {height} pixels (width x height), and must be read as a whole here",
                where=self.path,
                accepted=f"at most {max_pixels:,} pixels",
                fix="cut it into tiles",
            )
        return self.read((0, height, 0, width))

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The windows of the rule, or of this image if the rule has none."""
        if self._rule.windows is not None:
            return self._rule.windows
        spreads = spread_of(self, self._rule)
        return tuple(spread.window() or (0.0, 1.0) for spread in spreads)

    def parts(self) -> Iterator[Values]:
        """The values of the whole image, or of a regular sample of a large image."""
        height, width = self.size
        if self.about.pixels <= (GRID * PART * 4) ** 2:
            yield self.values((0, height, 0, width))
            return
        for row, column in product(range(GRID), range(GRID)):
            top, left = (max(0, (2 * i + 1) * n // (2 * GRID) - PART // 2) for i, n in ((row, height), (column, width)))
            yield self.values((top, min(height, top + PART), left, min(width, left + PART)))


def spread_of(image: InputImage, rule: ReadingRule, into: list[Spread] | None = None) -> list[Spread]:
    """The distribution of values, added to ``into``: one for all bands of a colour image, else one for each band."""
    spreads = [Spread() for _ in rule.bands or (0,)] if into is None else into
    for values in image.parts():
        for i in range(values.shape[2] if rule.bands else 1):
            spreads[i].add(values[..., i] if rule.bands else values)
    return spreads


@contextmanager
def open_input(path: Path, rule: ReadingRule = COLOUR, *, max_pixels: int = MAX_PIXELS) -> Iterator[InputImage]:
    """Open an image as input of a network. Raises `DataError` as `open_image` and `ReadingRule.chosen`."""
    with open_image(path, max_pixels=max_pixels) as image:
        yield InputImage(image, rule, path)


def read_image(path: Path, rule: ReadingRule = COLOUR, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Read a whole image as the input of a network, (H, W, B) uint8, upright.

    If no bands are chosen, a photograph is read as by `underpaint.imagefiles.images.read_rgb`.

    Args:
        path: The file, or a slice of it.
        rule: Bands and windows.
        max_pixels: The limit of width times height.

    Raises:
        DataError: As `open_input`, or the image has more pixels than the limit.
    """
    file, number = file_and_slice(path)
    if not rule.bands and number is None and not kind_of(file):
        window = None if rule.windows is None else rule.windows[0]
        return photograph_rgb(file, window=window, max_pixels=max_pixels)
    with open_input(path, rule, max_pixels=max_pixels) as image:
        return image.whole(max_pixels)


def picture(pixels: Pixels) -> Pixels:
    """Convert (H, W, B) into (H, W, 3) colours for display: one band as grey, two as red and green, else three."""
    bands = pixels.shape[2]
    if bands == 3:
        return pixels
    if bands == 1:
        return np.repeat(pixels, 3, axis=2)
    if bands == 2:
        return np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=2)
    return np.ascontiguousarray(pixels[..., :3])
