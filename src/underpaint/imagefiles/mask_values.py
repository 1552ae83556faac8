"""From the stored values of a mask file to class indices: by number, or by colour where colours are what is stated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from underpaint.core.classes import VOID, ClassTable, Colour, Numbering, palette
from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import Pixels

VOID_16 = 65535
"""Void in a 16-bit mask; 255 is taken as void there as well, since no class can have that number."""

VOC_VOID = (224, 224, 192)
"""Colour of void in PASCAL VOC's palette, and so in the colour pictures that are made from it."""

WHITE = (255, 255, 255)

MANY_OBJECTS = 3
"""Numbers beyond the class table from which on a mask looks as if every object had a number of its own."""


@dataclass(frozen=True)
class Key:
    """What the values of a mask file stand for.

    Args:
        classes: The class table that the result is in.
        numbers: Index of the class of each number in the file, `VOID` where it stays unknown.
        colours: Index of the class of each colour.
        strange: Numbers that stand for classes which the table lacks.
        others: Index of the class of all further numbers, or None.
        palette: Whether the colours of a palette image may tell its classes.
        source: The file that says what the numbers stand for; empty where the table itself does.
    """

    classes: ClassTable
    numbers: Mapping[int, int]
    colours: Mapping[Colour, int]
    strange: Mapping[int, str]
    others: int | None
    palette: bool
    source: str

    @classmethod
    def of(cls, classes: ClassTable, numbering: Numbering | None, *, palette: bool = False) -> Key:
        """The key of a class table, or of a numbering whose classes are those of the table by name."""
        own = {colour: i for i, colour in enumerate(classes.colours)}
        if numbering is None:
            return cls(classes, {i: i for i in range(len(classes))}, own, {}, None, palette, "")
        index = {name: i for i, name in enumerate(classes.names)}
        known = {one.number: VOID if one.name is None else index.get(one.name, -1) for one in numbering.meanings}
        colours = {one.colour: known[one.number] for one in numbering.meanings if one.colour is not None}
        strange = {one.number: one.name for one in numbering.meanings if one.name and known[one.number] == -1}
        others = None if numbering.others is None else classes.index(numbering.others, numbering.source)
        return cls(classes, known, colours or own, strange, others, False, numbering.source)

    def accepted(self) -> str:
        """The numbers that are read, for a message."""
        if self.source:
            return f"the numbers of {self.source}, 0..{max(self.numbers)}, and {VOID} for void"
        names = self.classes.names
        return f"0..{len(names) - 1} ({names[0]} .. {names[-1]}) and {VOID} for void"


def indices(image: Image.Image, path: Path, key: Key, *, void_stated: bool) -> Pixels:
    """(H, W) class indices of an opened mask file, 255 for void. Raises `DataError` as `read_index_mask` does."""
    if image.mode == "P":
        return _from_palette(image, path, key)
    if image.mode in ("1", "L"):
        return _from_grey(image, path, key, void_stated=void_stated)
    if image.mode.startswith("I"):
        wide = np.array(image)
        if key.others is not None:
            return by_number(wide, path, key)
        return by_number(np.where(wide == VOID_16, VOID, wide), path, key)
    if image.mode in ("RGB", "RGBA", "LA", "PA"):
        return _from_layer(image, path, key)
    raise DataError(f"the mask has pixels of type {image.mode}", where=path, accepted="palette, 8 or 16-bit grey, RGB")


def _from_palette(image: Image.Image, path: Path, key: Key) -> Pixels:
    numbers = np.array(image, dtype=np.uint8)
    by_colour = _palette_says(image, numbers, path, key) if key.palette else None
    if by_colour is not None:
        table = np.full(256, VOID, np.uint8)
        table[list(by_colour)] = list(by_colour.values())
        return table[numbers]
    return by_number(numbers, path, key)


def _palette_says(image: Image.Image, numbers: Pixels, path: Path, key: Key) -> dict[int, int] | None:
    """Classes by the palette's colours, where these are the table's but in another order; None where they say nothing.

    Raises:
        DataError: the order differs, and the table's colours are no one's choice, so that they cannot decide.
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
    if key.classes.colours == palette(len(names), key.classes.background):
        number, label = next((n, i) for n, i in found.items() if n != i)
        raise DataError(
            f"numbers and colours disagree: number {number} has the colour of {names[label]!r}, which is {label} here",
            where=path,
            fix="put the class list that the label images were made with beside them, as classes.txt: "
            "one name a line in the order of the numbers",
        )
    return found


def _clear(image: Image.Image) -> set[int]:
    """The numbers that a palette image shows as nothing at all."""
    held = image.info.get("transparency")
    if isinstance(held, bytes):
        return {number for number, alpha in enumerate(held) if alpha == 0}
    return {held} if isinstance(held, int) else set()


def _from_grey(image: Image.Image, path: Path, key: Key, *, void_stated: bool) -> Pixels:
    few = image.mode == "1" or _packed(image)
    grey = np.array(image.convert("L"), dtype=np.uint8)
    by_shade = _grey_says(grey, path, key)
    if by_shade is not None:
        return by_shade
    if few and key.others is None:
        raise DataError(
            "the mask has fewer than 8 bits a pixel, in grey: white may mean a class number or 255",
            where=path,
            accepted="8-bit palette or grey images that hold class numbers",
            fix=_black_and_white(key.classes),
        )
    if not void_stated and key.others is None and np.array_equal(np.unique(grey), [0, VOID]):
        raise DataError(
            f"the mask holds the grey values 0 and {VOID} alone: {VOID} may mean the object, or void",
            where=path,
            fix=f"{_black_and_white(key.classes)}; if {VOID} is void, save the mask as a palette PNG",
        )
    return by_number(grey, path, key)


def _black_and_white(classes: ClassTable) -> str:
    """The lines of classes.txt by which a mask of two grey values is read by colour."""
    behind = 0 if classes.background is None else classes.background
    thing = next((i for i in range(len(classes)) if i != behind), behind)
    names = classes.names
    return (
        f"if black is {names[behind]!r} and white {names[thing]!r}, say so in classes.txt, and the colours are read: "
        f"'{names[behind]} 0 0 0' and '{names[thing]} 255 255 255'"
    )


def _grey_says(grey: Pixels, path: Path, key: Key) -> Pixels | None:
    """Classes by grey values, where the class list has white among its colours, which no default has; else None."""
    if WHITE not in key.colours:
        return None
    seen = [int(value) for value in np.flatnonzero(np.bincount(grey.ravel(), minlength=256))]
    shades = {value: key.colours[(value, value, value)] for value in seen if (value, value, value) in key.colours}
    numbers = {value: key.numbers[value] for value in seen if value in key.numbers}
    if len(shades) < len(seen) or all(shades.get(value) == numbers.get(value) for value in seen):
        return None
    if len(numbers) == len(seen):
        raise DataError(
            f"the mask holds {', '.join(map(str, seen))} alone, which may be class numbers or grey values of "
            "classes.txt, and the two differ",
            where=path,
            fix="give the classes in classes.txt in an order in which both agree: black first",
        )
    table = np.full(256, VOID, np.uint8)
    table[list(shades)] = _known(shades, path, key)
    return table[grey]


def _packed(image: Image.Image) -> bool:
    """Whether a grey PNG stores 2 or 4 bits a pixel, which Pillow stretches to 0..255 and so changes the numbers."""
    return isinstance(image, ImageFile) and any(str(tile[3]).startswith(("L;2", "L;4")) for tile in image.tile)


def by_number(mask: NDArray[np.integer], path: Path, key: Key) -> Pixels:
    """Numbers of the file as class indices, or an error that counts the numbers that stand for no class."""
    values, counts = _counted(mask)
    if key.others is None:
        outside = [i for i, value in enumerate(values) if value not in key.numbers and value != VOID]
        if outside:
            raise _outside([values[i] for i in outside], [counts[i] for i in outside], path, key)
    elif values and values[0] < 0:
        raise _outside([values[0]], [counts[0]], path, key)
    found = {value: key.numbers.get(value, VOID if key.others is None else key.others) for value in values}
    labels = dict(zip(found, _known(found, path, key), strict=True))
    if all(value == label for value, label in labels.items()):
        return mask.astype(np.uint8)
    if mask.dtype == np.uint8:
        table = np.full(256, VOID, np.uint8)
        table[list(labels)] = list(labels.values())
        found_by: Pixels = table[mask]
        return found_by
    place = np.searchsorted(np.array(values), mask)
    found_at: Pixels = np.array(list(labels.values()), np.uint8)[place]
    return found_at


def _counted(mask: NDArray[np.integer]) -> tuple[list[int], list[int]]:
    """The values that occur, in order, and how often."""
    if mask.dtype == np.uint8:
        counts = np.bincount(mask.ravel(), minlength=256)
        values = np.flatnonzero(counts)
        return values.tolist(), counts[values].tolist()
    values, counts = np.unique(mask, return_counts=True)
    return values.tolist(), counts.tolist()


def _known(found: Mapping[int, int], path: Path, key: Key) -> list[int]:
    """The indices, unless one of the values stands for a class that the table lacks."""
    missing = [value for value, label in found.items() if label == -1]
    if missing:
        words = ", ".join(f"{value} ({key.strange.get(value, 'by its colour')})" for value in missing[:8])
        raise DataError(
            f"the label image holds {len(missing)} number(s) of classes that the data set lacks: {words}",
            where=path,
            accepted=f"{', '.join(key.classes.names)}; what the numbers stand for says {key.source}",
            fix="add these classes to the data set's classes.txt; or, of hints, leave them unknown with --lenient",
        )
    return list(found.values())


def _outside(values: list[int], counts: list[int], path: Path, key: Key) -> DataError:
    common = sorted(range(len(values)), key=lambda i: (-counts[i], values[i]))[:8]
    listed = ", ".join(f"{values[i]} ({counts[i]} pixels)" for i in common)
    return DataError(
        f"the mask holds {len(values)} number(s) outside the class table: {listed}",
        where=path,
        accepted=key.accepted(),
        fix=_usual_cause(values, key.classes),
    )


def _usual_cause(values: list[int], classes: ClassTable) -> str:
    palettes = (classes.colours, voc_palette(len(classes)))
    greys = {_luminance(colour) for colours in palettes for colour in colours} | {_luminance(VOC_VOID)}
    if set(values) <= greys:
        return (
            "these are the grey values of class colours: a palette mask was converted to grey "
            "(VOC's 1, 2, 3 become 38, 75, 113); use the palette file itself, read by index"
        )
    if len(values) >= MANY_OBJECTS and len(values) > len(classes):
        thing = classes.names[classes.foreground[0] if classes.foreground else 0]
        return (
            "instance numbers? If every object has a number of its own and 0 is what lies behind them, make masks of "
            f"classes: underpaint convert DATA OUT --to masks --instances {thing!r}, and put OUT in place of masks/"
        )
    return "add the missing classes to classes.txt in the order of their numbers, or remap the mask"


def _luminance(colour: Colour) -> int:
    """Grey value that Pillow gives a colour (ITU-R 601 weights in 16-bit fixed point)."""
    return (colour[0] * 19595 + colour[1] * 38470 + colour[2] * 7471 + 0x8000) >> 16


def _from_layer(image: Image.Image, path: Path, key: Key) -> Pixels:
    """Colours, and unknown where an image is transparent: strokes are painted on a layer of their own."""
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
    seen, place, counts = np.unique(code, return_inverse=True, return_counts=True)
    known = {(r << 16) + (g << 8) + b: i for (r, g, b), i in key.colours.items()}
    known.setdefault((VOC_VOID[0] << 16) + (VOC_VOID[1] << 8) + VOC_VOID[2], VOID)
    strange = [i for i in np.argsort(-counts, kind="stable") if int(seen[i]) not in known]
    if strange:
        listed = ", ".join(f"{_rgb(int(seen[i]))} ({counts[i]} pixels)" for i in strange[:5])
        raise DataError(
            f"the colour mask holds {len(strange)} colour(s) outside the class table: {listed}",
            where=path,
            accepted="; ".join(_named_colours(key.colours, key)),
            fix="give each class its colour in classes.txt ('cat 64 0 0'); blended borders mean that it was smoothed",
        )
    labels = _known({int(value): known[int(value)] for value in seen}, path, key)
    return np.array(labels, dtype=np.uint8)[place].reshape(code.shape)


def _named_colours(colours: Mapping[Colour, int], key: Key) -> Iterable[str]:
    names = key.classes.names
    return (f"{names[i] if 0 <= i < len(names) else 'unknown'} {colour}" for colour, i in colours.items())


def _rgb(code: int) -> Colour:
    return code >> 16, code >> 8 & 255, code & 255


def voc_palette(count: int) -> tuple[Colour, ...]:
    """PASCAL VOC's colours of the classes 0 .. ``count`` - 1: the bits of the number, dealt to red, green and blue."""
    return tuple((_channel(index, 0), _channel(index, 1), _channel(index, 2)) for index in range(count))


def _channel(index: int, bit: int) -> int:
    """Bits ``bit``, ``bit + 3`` and ``bit + 6`` of a class number, as the three highest bits of a colour channel."""
    return sum((index >> (bit + 3 * step) & 1) << (7 - step) for step in range(3))
