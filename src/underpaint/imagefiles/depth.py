"""Photographs of 16 bits a channel, read with all their bits.

Pillow has no image of 16 bits with several channels: it keeps the upper byte of each number. The lower byte is what it
keeps where it is told that the bytes lie the other way round, so that two decodings hold all 16 bits.
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
"""Channels of a stored pixel of which both bytes can be had; of other orders Pillow has no second reading."""

DEEP = re.compile(r"(RGBA?|RGBX|RGBa|LA|CMYK);16[LBN]")
"""Pillow's words for stored pixels of 16 bits a channel; "BGR;16" of BMP files is 16 bits for all three together."""

SWAPPED = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
"""The other order of bytes: L is the lower first, B the upper first, N that of this machine."""

LEVELS = 1 << 16


def is_deep(image: Image.Image) -> bool:
    """Whether an opened image stores more than 8 bits a channel; nothing is decoded."""
    return image.mode.startswith("I") or DEEP.fullmatch(_stored(image)) is not None


def deep_values(image: Image.Image, again: Open, path: Path) -> Deep:
    """(H, W) grey or (H, W, 3) colour values of an opened image of 16 bits, as stored; transparency is dropped.

    Args:
        image: For which `is_deep` holds.
        again: Opens the same file a second time.
        path: The file, for messages.

    Raises:
        DataError: values outside 0..65535, or channels that are neither grey nor colour.
    """
    if image.mode.startswith("I"):
        return _grey(image, path)
    stored = _stored(image)
    if stored.partition(";")[0] not in COLOURS:
        raise DataError(
            f"16 bits a channel, stored as {stored.partition(';')[0]}",
            where=path,
            accepted="grey or RGB with 16 bits, with or without transparency beside it",
            fix="save it as RGB with 8 or 16 bits a channel",
        )
    upper = np.asarray(image)[..., :3].astype(np.uint16)
    with again() as second:
        assert isinstance(second, ImageFile)  # what a file is opened as
        second.tile = [tile._replace(args=_turned(tile.args)) for tile in second.tile]
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
    """How the decoder finds the pixels stored, in Pillow's words, as "RGB;16L"."""
    args = image.tile[0].args if isinstance(image, ImageFile) and image.tile else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _turned(args: tuple[object, ...] | str | None) -> tuple[object, ...] | str:
    """A decoder's arguments with the bytes the other way round."""
    if isinstance(args, tuple):
        return (_turned(str(args[0])), *args[1:])
    text = str(args)
    return text[:-1] + SWAPPED[text[-1]]
