"""Mask files: one class index a pixel, 255 for void, read by number and never by colour impression."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from underpaint.core.atomic import write_atomic
from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError
from underpaint.formats.decode import MAX_PIXELS, Pixels, opened, orientation_of

FORMATS = ("PNG", "BMP", "TIFF")
"""Lossless formats alone: JPEG and WebP change the numbers at every class border."""

SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff"})

VOID_16 = 65535
"""Void in a 16-bit mask; 255 is taken as void there as well, since no class can have that number."""

VOC_VOID = (224, 224, 192)
"""Colour of void in PASCAL VOC's palette, and so in the colour pictures that are made from it."""


def read_index_mask(
    path: Path,
    classes: ClassTable,
    *,
    size: tuple[int, int] | None = None,
    void_stated: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Pixels:
    """Read a mask as class indices; it is never resized, and never turned.

    Taken are palette images (by index), 8-bit grey index images, 16-bit ones (65535 is void) and RGB pictures whose
    every colour is in the class table. EXIF orientation is left aside, unlike in `read_rgb`: masks are drawn on the
    upright photograph by programs, and where one copied the photograph's EXIF tag, obeying it would turn the mask
    twice.

    Args:
        path: A PNG, BMP or TIFF file.
        classes: The class table whose indices the file holds.
        size: (H, W) of the upright photograph, where the mask must fit it.
        void_stated: The caller knows that 255 is void, so that a grey mask of 0 and 255 is not ambiguous.
        max_pixels: Limit of width times height.

    Returns:
        (H, W) indices, 255 for void.

    Raises:
        DataError: unreadable, ids or colours outside the table, ambiguous 0/255, or another size.
    """
    with opened(path, FORMATS, max_pixels=max_pixels) as image:
        if image.format == "TIFF" and orientation_of(image) != 1:
            # Pillow would obey the tag, unlike in other formats.
            raise DataError("the TIFF mask has an orientation tag", where=path, fix="save it upright, without the tag")
        if size is not None and (image.height, image.width) != size:
            raise _size_error(path, (image.height, image.width), size)
        return _indices(image, path, classes, void_stated=void_stated)


def mask_size(path: Path) -> tuple[int, int]:
    """(H, W) of a mask file as it is stored, from its header. Raises `DataError` as `read_index_mask` does."""
    with opened(path, FORMATS, max_pixels=MAX_PIXELS) as image:
        return image.height, image.width


def _size_error(path: Path, seen: tuple[int, int], size: tuple[int, int]) -> DataError:
    fix = "masks are never resized: export the mask again at the size of its photograph"
    if seen == (size[1], size[0]):
        fix = "the sides are swapped, as if the mask was drawn before the photograph's EXIF rotation: rotate the mask"
    return DataError(
        f"the mask has {seen[0]} rows and {seen[1]} columns, its photograph {size[0]} and {size[1]}",
        where=path,
        fix=fix,
    )


def _indices(image: Image.Image, path: Path, classes: ClassTable, *, void_stated: bool) -> Pixels:
    if image.mode == "P":
        return _within(np.array(image, dtype=np.uint8), path, classes)
    if image.mode == "L" and not _packed(image):
        grey = np.array(image, dtype=np.uint8)
        if not void_stated:
            _refuse_two_valued(grey, path)
        return _within(grey, path, classes)
    if image.mode.startswith("I"):
        wide = np.array(image)
        return _within(np.where(wide == VOID_16, VOID, wide), path, classes)
    if image.mode in ("1", "L"):
        raise DataError(
            "the mask has fewer than 8 bits a pixel, in grey: white may mean a class number or 255",
            where=path,
            accepted="8-bit palette or grey images that hold class numbers",
        )
    if image.mode == "RGB" or (image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255)):
        return _from_colours(np.array(image.convert("RGB")), path, classes)
    raise DataError(f"the mask has pixels of type {image.mode}", where=path, accepted="palette, 8 or 16-bit grey, RGB")


def _packed(image: Image.Image) -> bool:
    """Whether a grey PNG stores 2 or 4 bits a pixel, which Pillow stretches to 0..255 and so changes the numbers."""
    return isinstance(image, ImageFile) and any(str(tile[3]).startswith(("L;2", "L;4")) for tile in image.tile)


def _refuse_two_valued(grey: Pixels, path: Path) -> None:
    if np.array_equal(np.unique(grey), [0, VOID]):
        raise DataError(
            "the mask holds the grey values 0 and 255 alone: 255 may mean the object, or void",
            where=path,
            fix="write the object as its class number (1, 2, ...); if 255 is void, save the mask as a palette PNG",
        )


def _within(mask: NDArray[np.integer], path: Path, classes: ClassTable) -> Pixels:
    """The mask as 8 bit, or an error that counts the numbers outside the table."""
    outside = (mask < 0) | ((mask >= len(classes)) & (mask != VOID))
    if not outside.any():
        return mask.astype(np.uint8)
    values, counts = np.unique(mask[outside], return_counts=True)
    common = np.argsort(-counts, kind="stable")[:8]
    listed = ", ".join(f"{values[i]} ({counts[i]} pixels)" for i in common)
    raise DataError(
        f"the mask holds {len(values)} number(s) outside the class table: {listed}",
        where=path,
        accepted=f"0..{len(classes) - 1} ({classes.names[0]} .. {classes.names[-1]}) and {VOID} for void",
        fix=_usual_cause({int(value) for value in values}, classes),
    )


def _usual_cause(values: set[int], classes: ClassTable) -> str:
    palettes = (classes.colours, voc_palette(len(classes)))
    greys = {_luminance(colour) for colours in palettes for colour in colours} | {_luminance(VOC_VOID)}
    if values <= greys:
        return (
            "these are the grey values of class colours: a palette mask was converted to grey "
            "(VOC's 1, 2, 3 become 38, 75, 113); use the palette file itself, read by index"
        )
    return "add the missing classes to classes.txt in the order of their numbers, or remap the mask"


def _luminance(colour: tuple[int, int, int]) -> int:
    """Grey value that Pillow gives a colour (ITU-R 601 weights in 16-bit fixed point)."""
    return (colour[0] * 19595 + colour[1] * 38470 + colour[2] * 7471 + 0x8000) >> 16


def _from_colours(rgb: Pixels, path: Path, classes: ClassTable) -> Pixels:
    if len(set(classes.colours)) < len(classes):
        raise DataError("two classes have the same colour, so a colour mask cannot be read", where=path)
    code = rgb.astype(np.uint32) @ np.array([65536, 256, 1], dtype=np.uint32)
    seen, place, counts = np.unique(code, return_inverse=True, return_counts=True)
    known = {(r << 16) + (g << 8) + b: i for i, (r, g, b) in enumerate(classes.colours)}
    known.setdefault((VOC_VOID[0] << 16) + (VOC_VOID[1] << 8) + VOC_VOID[2], VOID)
    strange = [i for i in np.argsort(-counts, kind="stable") if int(seen[i]) not in known]
    if strange:
        listed = ", ".join(f"{_rgb(int(seen[i]))} ({counts[i]} pixels)" for i in strange[:5])
        raise DataError(
            f"the colour mask holds {len(strange)} colour(s) outside the class table: {listed}",
            where=path,
            accepted="; ".join(f"{name} {colour}" for name, colour in zip(classes.names, classes.colours, strict=True)),
            fix="give each class its colour in classes.txt ('cat 64 0 0'); blended borders mean that it was smoothed",
        )
    return np.array([known[int(value)] for value in seen], dtype=np.uint8)[place].reshape(code.shape)


def _rgb(code: int) -> tuple[int, int, int]:
    return code >> 16, code >> 8 & 255, code & 255


def voc_palette(count: int) -> tuple[tuple[int, int, int], ...]:
    """PASCAL VOC's colours of the classes 0 .. ``count`` - 1: the bits of the number, dealt to red, green and blue."""
    return tuple((_channel(index, 0), _channel(index, 1), _channel(index, 2)) for index in range(count))


def _channel(index: int, bit: int) -> int:
    """Bits ``bit``, ``bit + 3`` and ``bit + 6`` of a class number, as the three highest bits of a colour channel."""
    return sum((index >> (bit + 3 * step) & 1) << (7 - step) for step in range(3))


def write_index_mask(path: Path, index: Pixels, classes: ClassTable) -> None:
    """Write `index_mask_png` to a file, whole or not at all.

    Args:
        path: The file, with the suffix .png; an older one is replaced at the end.
        index: (H, W) class indices, 255 for void.
        classes: The table that the indices belong to.

    Raises:
        DataError: as `index_mask_png`, or the disk refuses.
    """
    write_atomic(path, index_mask_png(path, index, classes))


def index_mask_png(path: Path, index: Pixels, classes: ClassTable) -> bytes:
    """A mask as the bytes of a palette PNG in the table's colours; arguments as in `write_index_mask`.

    Raises:
        DataError: not a (H, W) array of bytes, or an index outside the table; it names ``path``.
    """
    if index.ndim != 2 or index.dtype != np.uint8 or index.size == 0:
        what = f"the mask is an array of {index.dtype} with shape {index.shape}"
        raise DataError(what, where=path, accepted="(H, W) uint8")
    image = Image.fromarray(_within(index, path, classes))
    image.putpalette(classes.flat_palette())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
