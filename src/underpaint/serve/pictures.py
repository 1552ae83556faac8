"""Pictures for the page. Every photograph is decoded and encoded again; original files are never served."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

import numpy as np
from PIL import Image

from underpaint.imagefiles.decode import Pixels
from underpaint.imagefiles.images import read_rgb
from underpaint.imagefiles.photograph import read_deep
from underpaint.imagefiles.window import Window, window_of
from underpaint.serve.site import Photograph

TILE = 512
"""Side of a tile in pixels."""

THUMB = 320
"""Longest side of a thumbnail in pixels."""

CACHE_BYTES = 120 << 20
"""Largest size of the decoded photographs in memory, apart from the last one."""


class Pictures:
    """A cache of decoded photographs and their reduced levels. Several threads can use it."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, int, Window | None, int], Pixels] = OrderedDict()
        self._lock = threading.Lock()

    def tile(self, one: Photograph, level: int, x: int, y: int, window: Window | None) -> tuple[bytes, str]:
        """A tile and its type: JPEG on reduced levels, PNG on the level of full size.

        Raises:
            LookupError: The tile does not exist.
            DataError: The photograph cannot be read.
        """
        top = levels(one.size)
        if not 0 <= level < top:
            raise LookupError("level")
        pixels = self._level(one, top - 1 - level, window)
        part = pixels[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE] if min(x, y) >= 0 else pixels[:0]
        if part.size == 0:
            raise LookupError("tile")
        return (_png(part), "image/png") if level == top - 1 else (_jpeg(part), "image/jpeg")

    def thumb(self, one: Photograph) -> bytes:
        """A thumbnail as WebP. Raises `DataError`."""
        longest = max(one.size)
        halvings = max(0, (max(longest, 1) // THUMB).bit_length() - 1)
        image = Image.fromarray(self._level(one, min(halvings, levels(one.size) - 1), None))
        image.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=80, method=2)
        return stream.getvalue()

    def _level(self, one: Photograph, halvings: int, window: Window | None) -> Pixels:
        key = (one.id, one.changed, window, halvings)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        whole = self._level(one, 0, window) if halvings else read_rgb(one.path, window=window)
        pixels = np.asarray(Image.fromarray(whole).reduce(2**halvings)) if halvings else whole
        with self._lock:
            self._held[key] = pixels
            while len(self._held) > 1 and sum(each.nbytes for each in self._held.values()) > CACHE_BYTES:
                self._held.popitem(last=False)
        return pixels


def levels(size: tuple[int, int]) -> int:
    """Number of levels of a photograph of (height, width): the full size, then halved until one pixel is left."""
    return 1 + (max(*size, 1) - 1).bit_length()


def depth_and_window(one: Photograph) -> tuple[int, Window | None]:
    """Bits per channel, and the window of values if the photograph has 16 bits. Raises `DataError`."""
    deep = read_deep(one.path)
    return (8, None) if deep is None else (16, window_of([deep]))


def index_png(index: Pixels) -> bytes:
    """(H, W) numbers as a grey PNG."""
    return _png(index)


def _png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _jpeg(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "JPEG", quality=88)
    return stream.getvalue()
