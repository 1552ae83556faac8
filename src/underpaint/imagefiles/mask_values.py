"""Converts the values of a mask file into class indices: by number, or by colour if the class list states colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from underpaint.core.classes import VOID, ClassTable, Colour
from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import Pixels
from underpaint.imagefiles.mask_numbers import VOC_VOID, Key, by_number, known_labels

VOID_16 = 65535
"""Void in a mask of 16 bits. There 255 is void as well, because no class can have this number."""

WHITE = (255, 255, 255)


def indices(image: Image.Image, path: Path, key: Key, *, void_stated: bool) -> Pixels:
    """(H, W) class indices of an opened mask file, 255 for void. Raises `DataError` as `read_index_mask` does."""
    if image.mode == "P":
        return _from_palette(image, path, key)
    if image.mode in ("1", "L"):
        return _from_grey(image, path, key, void_stated=void_stated)
    if image.mode.startswith("I") or image.mode == "F":
        wide = _whole(np.array(image), path)
        if key.others is not None:
            return by_number(wide, path, key)
        return by_number(np.where(wide == VOID_16, VOID, wide), path, key)
    if image.mode in ("RGB", "RGBA", "LA", "PA"):
        return _from_layer(image, path, key)
    raise DataError(f"the mask has pixels of type {image.mode}", where=path, accepted="palette, 8 or 16-bit grey, RGB")


def _whole(values: NDArray[Any], path: Path) -> NDArray[np.integer]:
    """Convert numbers that are stored as floating point, as in ImageJ's label images of 32 bits, into integers."""
    if np.issubdtype(values.dtype, np.integer):
        return values
    whole = np.isfinite(values) & (np.abs(values) <= VOID_16) & (values == np.round(values))
    if not whole.all():
        broken = values[~whole]
        raise DataError(
            f"the mask has {len(broken)} values that are not whole numbers, such as {broken[0]:g}",
            where=path,
            accepted="a class number in each pixel",
            fix="export class numbers: these may be probabilities, or distances",
        )
    return values.astype(np.int32)


def _from_palette(image: Image.Image, path: Path, key: Key) -> Pixels:
    numbers = np.array(image, dtype=np.uint8)
    by_colour = _palette_classes(image, numbers, path, key) if key.palette else None
    if by_colour is not None:
        table = np.full(256, VOID, np.uint8)
        table[list(by_colour)] = list(by_colour.values())
        return table[numbers]
    return by_number(numbers, path, key)


def _palette_classes(image: Image.Image, numbers: Pixels, path: Path, key: Key) -> dict[int, int] | None:
    """The classes by the colours of the palette, if it has the colours of the table in another order; else None.

    Raises:
        DataError: The order differs, but the colours of the table are default colours, so that it is not clear whether
            the numbers or the colours are right.
    """
    used = [int(n) for n in np.flatnonzero(np.bincount(numbers.ravel(), minlength=256)) if n != VOID]
    clear = _clear(image)
    opaque = [n for n in used if n not in clear]
    flat = image.getpalette("RGB") or []
    colours = {n: (flat[3 * n], flat[3 * n + 1], flat[3 * n + 2]) for n in opaque if 3 * n + 2 < len(flat)}
    found = {n: key.colours[colour] for n, colour in colours.items() if colour in key.colours}
    distinct = len(set(colours.values())) == len(opaque) and set(colours.values()) != {(0, 0, 0)}
    if not found or len(found) < len(opaque) or not distinct or all(n == i for n, i in found.items()):
        return None
    names = key.classes.names
    if not key.classes.has_own_colours:
        number, label = next((n, i) for n, i in found.items() if n != i)
        raise DataError(
            f"numbers and colours disagree: number {number} has the colour of {names[label]!r}, which is {label} here",
            where=path,
            fix="put the class list of the label images into their folder, as classes.txt: "
            "one name per line in the order of the numbers",
        )
    return found


def _clear(image: Image.Image) -> set[int]:
    """The numbers that a palette image shows as fully transparent."""
    transparency = image.info.get("transparency")
    if isinstance(transparency, bytes):
        return {number for number, alpha in enumerate(transparency) if alpha == 0}
    return {transparency} if isinstance(transparency, int) else set()


def _from_grey(image: Image.Image, path: Path, key: Key, *, void_stated: bool) -> Pixels:
    few = image.mode == "1" or _packed(image)
    grey = np.array(image.convert("L"), dtype=np.uint8)
    by_shade = _grey_classes(grey, path, key)
    if by_shade is not None:
        return by_shade
    if few and key.others is None:
        raise DataError(
            "the mask is grey with fewer than 8 bits per pixel: white may mean a class number or 255",
            where=path,
            accepted="8-bit palette or grey images with class numbers",
            fix=_black_and_white(key.classes),
        )
    if not void_stated and key.others is None and np.array_equal(np.unique(grey), [0, VOID]):
        raise DataError(
            f"the mask has only the grey values 0 and {VOID}: {VOID} may mean the object, or void",
            where=path,
            fix=f"{_black_and_white(key.classes)}; if {VOID} is void, save the mask as a palette PNG",
        )
    return by_number(grey, path, key)


def _black_and_white(classes: ClassTable) -> str:
    """The lines of classes.txt with which a mask of two grey values is read by colour."""
    background = 0 if classes.background is None else classes.background
    thing = next((i for i in range(len(classes)) if i != background), background)
    names = classes.names
    return (
        f"if black is {names[background]!r} and white {names[thing]!r}, state these colours in classes.txt: "
        f"'{names[background]} 0 0 0' and '{names[thing]} 255 255 255'"
    )


def _grey_classes(grey: Pixels, path: Path, key: Key) -> Pixels | None:
    """The classes by grey value if the class list has the colour white (no default colour is white); else None."""
    if WHITE not in key.colours:
        return None
    values = [int(value) for value in np.flatnonzero(np.bincount(grey.ravel(), minlength=256))]
    shades = {value: key.colours[(value, value, value)] for value in values if (value, value, value) in key.colours}
    numbers = {value: key.numbers[value] for value in values if value in key.numbers}
    if len(shades) < len(values) or all(shades.get(value) == numbers.get(value) for value in values):
        return None
    if len(numbers) == len(values):
        raise DataError(
            f"the mask has only the values {', '.join(map(str, values))}, which may be class numbers or grey values of "
            "classes.txt, with different classes",
            where=path,
            fix="order the classes in classes.txt so that numbers and grey values agree: black first",
        )
    table = np.full(256, VOID, np.uint8)
    table[list(shades)] = known_labels(shades, path, key)
    return table[grey]


def _packed(image: Image.Image) -> bool:
    """Whether a grey PNG stores 2 or 4 bits per pixel. Pillow scales them to 0..255, which changes the numbers."""
    return isinstance(image, ImageFile) and any(str(tile[3]).startswith(("L;2", "L;4")) for tile in image.tile)


def _from_layer(image: Image.Image, path: Path, key: Key) -> Pixels:
    """The classes by colour. Transparent pixels are unknown, because programs draw strokes on a transparent layer."""
    if image.mode == "RGB":
        return _from_colours(np.array(image), path, key)
    layer = np.array(image.convert("RGBA"))
    clear = layer[..., 3] == 0
    found = np.full(clear.shape, VOID, np.uint8)
    if not clear.all():
        found[~clear] = _from_colours(layer[~clear][:, :3], path, key)
    return found


def _from_colours(rgb: Pixels, path: Path, key: Key) -> Pixels:
    if len(key.colours) < len(key.numbers) and not key.source:
        raise DataError("two classes have the same colour, so a colour mask cannot be read", where=path)
    code = rgb.astype(np.uint32) @ np.array([65536, 256, 1], dtype=np.uint32)
    codes, place, counts = np.unique(code, return_inverse=True, return_counts=True)
    known = {(r << 16) + (g << 8) + b: i for (r, g, b), i in key.colours.items()}
    known.setdefault((VOC_VOID[0] << 16) + (VOC_VOID[1] << 8) + VOC_VOID[2], VOID)
    unknown = [i for i in np.argsort(-counts, kind="stable") if int(codes[i]) not in known]
    if unknown:
        listed = ", ".join(f"{_rgb(int(codes[i]))} ({counts[i]} pixels)" for i in unknown[:5])
        raise DataError(
            f"the colour mask has {len(unknown)} colour(s) outside the class table: {listed}",
            where=path,
            accepted="; ".join(_named_colours(key.colours, key)),
            fix="state the colour of each class in classes.txt ('cat 64 0 0'); mixed colours at borders mean that the "
            "mask was smoothed",
        )
    labels = known_labels({int(value): known[int(value)] for value in codes}, path, key)
    return np.array(labels, dtype=np.uint8)[place].reshape(code.shape)


def _named_colours(colours: Mapping[Colour, int], key: Key) -> Iterable[str]:
    names = key.classes.names
    return (f"{names[i] if 0 <= i < len(names) else 'unknown'} {colour}" for colour, i in colours.items())


def _rgb(code: int) -> Colour:
    return code >> 16, code >> 8 & 255, code & 255
