"""Photographs as Pillow decodes them: format, size limit, orientation, and 8 or 16 bits a channel."""

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
"""The formats that are decoded. The list is short because a hostile file can reach the code of every decoder in it."""

TIFF_WIDTH, TIFF_HEIGHT = 256, 257
"""The tags of a TIFF file that hold its size."""

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
    """(H, W, 3) uint8, turned upright. Arguments and errors are those of `underpaint.imagefiles.images.read_rgb`."""
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        # Pillow turns TIFF files itself while it decodes them, and takes the tag away; of the others it keeps both.
        rotation = None if image.format == "TIFF" else _UPRIGHT.get(orientation_of(image))
        rgb = _seen(image, path, window, max_pixels).convert("RGB")
        return np.array(rgb.transpose(rotation) if rotation is not None else rgb, dtype=np.uint8)


def photograph_bands(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[About, Values]:
    """What a photograph holds, and its (H, W, B) stored values, upright: grey, RGB or RGBA."""
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
    """What a photograph holds, from the header alone."""
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        return _about(image)


def read_deep(path: Path, *, max_pixels: int = MAX_PIXELS) -> Deep | None:
    """The stored values of an image of 16 bits a channel, (H, W) or (H, W, 3) and not turned; None for any other image.

    Raises:
        DataError: as `photograph_rgb`.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        refuse_unusual(image, path)
        return _deep(image, path, max_pixels) if is_deep(image) else None


def photograph_size(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """The size (H, W) of an image as `photograph_rgb` returns it, read from the header alone."""
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        return _upright_size(image)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = _stored_size(image)
    return (width, height) if orientation_of(image) in (5, 6, 7, 8) else (height, width)


def _about(image: Image.Image) -> About:
    """What an opened photograph holds. Of 16 bits a channel, transparency is not read."""
    deep = is_deep(image)
    mode = "L" if image.mode in ("1", "L", "LA") or image.mode.startswith("I") else "RGB"
    if not deep and image.mode in ("RGBA", "PA"):
        mode = "RGBA"
    kind = f"{image.format}, {image.mode}"
    return About(kind, _upright_size(image), BANDS[mode], np.dtype(np.uint16 if deep else np.uint8), colour=True)


def _seen(image: Image.Image, path: Path, window: Window | None, max_pixels: int) -> Image.Image:
    """The image with 8 bits a channel."""
    if not is_deep(image):
        return image
    values = _deep(image, path, max_pixels)
    own = window or window_of([values])
    assert own is not None  # an image has pixels
    return Image.fromarray(through(values, own))


def _deep(image: Image.Image, path: Path, max_pixels: int) -> Deep:
    return deep_values(image, lambda: opened(path, FORMATS, max_pixels=max_pixels), path)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """The size (W, H) before the image is turned. For TIFF files Pillow may have turned the size already."""
    if not isinstance(image, TiffImageFile):
        return image.size
    return int(image.tag_v2[TIFF_WIDTH]), int(image.tag_v2[TIFF_HEIGHT])
