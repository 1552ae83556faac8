"""Reads photographs with Pillow: format, size limit, orientation, and 8 or 16 bits per channel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from underpaint.imagefiles.decode import MAX_PIXELS, Pixels, opened, orientation_of
from underpaint.imagefiles.depth import Deep, deep_values, is_deep
from underpaint.imagefiles.readers.base import About, Values
from underpaint.imagefiles.refusals import refuse_unusual
from underpaint.imagefiles.window import Window, through, window_of

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
"""The formats that are decoded. The list is short, because a malicious file could use an error in any decoder of it."""

TIFF_WIDTH, TIFF_HEIGHT = 256, 257
"""The tags of a TIFF file with its size."""

BANDS = {"L": ("grey",), "RGB": ("red", "green", "blue"), "RGBA": ("red", "green", "blue", "alpha")}

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_TURNS: dict[int, Callable[[Values], Values]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values.swapaxes(0, 1)[:, ::-1],
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: values.swapaxes(0, 1)[::-1],
}


def photograph_rgb(path: Path, *, window: Window | None, max_pixels: int = MAX_PIXELS) -> Pixels:
    """(H, W, 3) uint8, upright. Arguments and errors are those of `underpaint.imagefiles.images.read_rgb`."""
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        # Pillow applies the orientation only to TIFF files, while it decodes them.
        rotation = None if image.format == "TIFF" else _UPRIGHT.get(orientation_of(image))
        rgb = _eight_bits(image, path, window, max_pixels).convert("RGB")
        return np.array(rgb.transpose(rotation) if rotation is not None else rgb, dtype=np.uint8)


def photograph_bands(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[About, Values]:
    """The metadata of a photograph and its (H, W, B) stored values, upright: grey, RGB or RGBA."""
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        about = _about(image)
        turn = None if image.format == "TIFF" else _TURNS.get(orientation_of(image))
        if is_deep(image):
            values: Values = _deep(image, path, max_pixels)
        else:
            values = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[len(about.bands)]))
        values = values[..., None] if values.ndim == 2 else values
        return about, np.ascontiguousarray(values if turn is None else turn(values))


def photograph_about(path: Path, *, max_pixels: int = MAX_PIXELS) -> About:
    """The metadata of a photograph, from the header."""
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        return _about(image)


def read_deep(path: Path, *, max_pixels: int = MAX_PIXELS) -> Deep | None:
    """The stored values of an image of 16 bits per channel, (H, W) or (H, W, 3), not rotated; None for other images.

    Raises:
        DataError: As `photograph_rgb`.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        return _deep(image, path, max_pixels) if is_deep(image) else None


def photograph_size(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """The size (H, W) of the result of `photograph_rgb`, from the header."""
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        return _upright_size(image)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = _stored_size(image)
    return (width, height) if orientation_of(image) in (5, 6, 7, 8) else (height, width)


def _about(image: Image.Image) -> About:
    """The metadata of an opened photograph. Transparency is ignored in images of 16 bits per channel."""
    deep = is_deep(image)
    mode = "L" if image.mode in ("1", "L", "LA") or image.mode.startswith("I") else "RGB"
    if not deep and image.mode in ("RGBA", "PA"):
        mode = "RGBA"
    kind = f"{image.format}, {image.mode}"
    return About(kind, _upright_size(image), BANDS[mode], np.dtype(np.uint16 if deep else np.uint8), colour=True)


def _eight_bits(image: Image.Image, path: Path, window: Window | None, max_pixels: int) -> Image.Image:
    """The image with 8 bits per channel."""
    if not is_deep(image):
        return image
    values = _deep(image, path, max_pixels)
    own = window or window_of([values])
    assert own is not None  # an image has pixels
    return Image.fromarray(through(values, own))


def _deep(image: Image.Image, path: Path, max_pixels: int) -> Deep:
    return deep_values(image, lambda: opened(path, FORMATS, max_pixels=max_pixels), path)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """The size (W, H) before the rotation. For TIFF files Pillow may have swapped the sides already."""
    if not isinstance(image, TiffImageFile):
        return image.size
    return int(image.tag_v2[TIFF_WIDTH]), int(image.tag_v2[TIFF_HEIGHT])
