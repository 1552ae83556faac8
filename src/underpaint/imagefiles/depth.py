"""Reads images with 16 bits per channel without losing bits.

Pillow has no mode for images with several channels of 16 bits: it keeps only the upper byte of each number. If the byte
order is swapped before the decoding, it keeps the lower byte. Therefore the file is decoded twice, and both results
together have all 16 bits.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from underpaint.core.errors import DataError

Deep = NDArray[np.uint16]
Open = Callable[[], AbstractContextManager[Image.Image]]

COLOURS = ("RGB", "RGBA", "RGBX")
"""Channel orders for which Pillow can decode either byte."""

DEEP = re.compile(r"(RGBA?|RGBX|RGBa|LA|CMYK);16[LBN]")
"""Pillow's names of pixel layouts with 16 bits per channel. ("BGR;16" of BMP files means 16 bits for all three channels
together.)"""

SWAPPED = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
"""The opposite of each byte order. L means lower byte first, B upper byte first, N the order of this machine."""

LEVELS = 1 << 16


def is_deep(image: Image.Image) -> bool:
    """Whether an opened image stores more than 8 bits per channel. Nothing is decoded."""
    return image.mode.startswith("I") or DEEP.fullmatch(_stored(image)) is not None


def deep_values(image: Image.Image, again: Open, path: Path) -> Deep:
    """The stored values of an opened image of 16 bits, (H, W) grey or (H, W, 3) colour; transparency is dropped.

    Args:
        image: An image for which `is_deep` is true.
        again: A function that opens the same file a second time.
        path: The file, for messages.

    Raises:
        DataError: values outside 0..65535, or channels that are neither grey nor colour.
    """
    if image.mode.startswith("I"):
        return _grey(image, path)
    stored = _stored(image)
    if stored.partition(";")[0] not in COLOURS:
        raise DataError(
            f"16 bits per channel, stored as {stored.partition(';')[0]}",
            where=path,
            accepted="grey or RGB with 16 bits, with or without transparency",
            fix="save it as RGB with 8 or 16 bits per channel",
        )
    upper = np.asarray(image)[..., :3].astype(np.uint16)
    with again() as second:
        assert isinstance(second, ImageFile)  # true for every opened file
        second.tile = [tile._replace(args=_swapped(tile.args)) for tile in second.tile]
        lower = np.asarray(second)[..., :3]
    return np.asarray(upper << 8 | lower, dtype=np.uint16)


def _grey(image: Image.Image, path: Path) -> Deep:
    grey = np.asarray(image)
    if grey.min() < 0 or grey.max() >= LEVELS:
        raise DataError(
            f"grey values from {grey.min()} to {grey.max()}",
            where=path,
            accepted=f"0..{LEVELS - 1}",
            fix="scale them to 8 or 16 bits without sign",
        )
    return grey.astype(np.uint16)


def _stored(image: Image.Image) -> str:
    """Pillow's name of the layout in which the pixels are stored, such as "RGB;16L"."""
    args = image.tile[0].args if isinstance(image, ImageFile) and image.tile else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _swapped(args: tuple[object, ...] | str | None) -> tuple[object, ...] | str:
    """The arguments of the decoder with the other byte order."""
    if isinstance(args, tuple):
        return (_swapped(str(args[0])), *args[1:])
    text = str(args)
    return text[:-1] + SWAPPED[text[-1]]
