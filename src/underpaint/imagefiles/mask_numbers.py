"""The meanings of the numbers in a mask file, and their conversion into class indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from underpaint.core.classes import VOID, ClassTable, Colour, Numbering
from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import Pixels

VOC_VOID = (224, 224, 192)
"""The colour of void in PASCAL VOC's palette, and in colour images that are made from it."""

MANY_OBJECTS = 3
"""A mask with at least this number of unknown values probably has a number for each object."""


@dataclass(frozen=True)
class Key:
    """The meanings of the values of a mask file.

    Args:
        classes: The class table of the result.
        numbers: The class index of each number in the file; `VOID` for unknown pixels.
        colours: The class index of each colour.
        missing: The numbers of classes that the table does not have, with the names of these classes.
        others: The class index of all other numbers, or None.
        palette: Whether the colours of a palette image may determine its classes.
        source: The file that states the meanings; empty if they are those of the table.
    """

    classes: ClassTable
    numbers: Mapping[int, int]
    colours: Mapping[Colour, int]
    missing: Mapping[int, str]
    others: int | None
    palette: bool
    source: str

    @classmethod
    def of(cls, classes: ClassTable, numbering: Numbering | None, *, palette: bool = False) -> Key:
        """The key of a class table, or of a numbering. The classes of a numbering are matched to the table by name."""
        own = {colour: i for i, colour in enumerate(classes.colours)}
        if numbering is None:
            decide = palette or classes.has_own_colours
            return cls(classes, {i: i for i in range(len(classes))}, own, {}, None, decide, "")
        index = {name: i for i, name in enumerate(classes.names)}
        known = {one.number: VOID if one.name is None else index.get(one.name, -1) for one in numbering.meanings}
        colours = {one.colour: known[one.number] for one in numbering.meanings if one.colour is not None}
        missing = {one.number: one.name for one in numbering.meanings if one.name and known[one.number] == -1}
        others = None if numbering.others is None else classes.index(numbering.others, numbering.source)
        return cls(classes, known, colours or own, missing, others, False, numbering.source)

    def accepted(self) -> str:
        """The numbers that are accepted, as text for a message."""
        if self.source:
            return f"the numbers of {self.source}, 0..{max(self.numbers)}, and {VOID} for void"
        names = self.classes.names
        return f"0..{len(names) - 1} ({names[0]} .. {names[-1]}) and {VOID} for void"


def by_number(mask: NDArray[np.integer], path: Path, key: Key) -> Pixels:
    """Convert the numbers of a file into class indices. The error counts the numbers without a class."""
    values, counts = _counted(mask)
    if key.others is None:
        outside = [i for i, value in enumerate(values) if value not in key.numbers and value != VOID]
        if outside:
            smooth = _smoothed(values, counts, outside)
            raise _outside([values[i] for i in outside], [counts[i] for i in outside], path, key, smooth=smooth)
    elif values and values[0] < 0:
        raise _outside([values[0]], [counts[0]], path, key)
    found = {value: key.numbers.get(value, VOID if key.others is None else key.others) for value in values}
    labels = dict(zip(found, known_labels(found, path, key), strict=True))
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
    """The values in ascending order, and the number of pixels of each."""
    if mask.dtype == np.uint8:
        counts = np.bincount(mask.ravel(), minlength=256)
        values = np.flatnonzero(counts)
        return values.tolist(), counts[values].tolist()
    values, counts = np.unique(mask, return_counts=True)
    return values.tolist(), counts.tolist()


def known_labels(found: Mapping[int, int], path: Path, key: Key) -> list[int]:
    """The class indices. Raises `DataError` if a value belongs to a class that is not in the table."""
    missing = [value for value, label in found.items() if label == -1]
    if missing:
        words = ", ".join(f"{value} ({key.missing.get(value, 'by its colour')})" for value in missing[:8])
        raise DataError(
            f"the label image has {len(missing)} number(s) of classes that are not in the data set: {words}",
            where=path,
            accepted=f"{', '.join(key.classes.names)}; the meanings of the numbers are in {key.source}",
            fix="add these classes to the data set's classes.txt; or, for hints, use --lenient to leave them unknown",
        )
    return list(found.values())


def _smoothed(values: list[int], counts: list[int], outside: list[int]) -> bool:
    """Whether numbers look like the grey values of smooth borders between black and white, which have few pixels."""
    by_value = dict(zip(values, counts, strict=True))
    between = sum(counts[i] for i in outside)
    return (
        len(outside) > 1
        and values[outside[-1]] > VOID // 2  # class numbers in label images with strokes are small
        and between < min(by_value.get(0, 0), by_value.get(VOID, 0))
    )


def _outside(values: list[int], counts: list[int], path: Path, key: Key, *, smooth: bool = False) -> DataError:
    common = sorted(range(len(values)), key=lambda i: (-counts[i], values[i]))[:8]
    listed = ", ".join(f"{values[i]} ({counts[i]} pixels)" for i in common)
    return DataError(
        f"the mask holds {len(values)} number(s) outside the class table: {listed}",
        where=path,
        accepted=key.accepted(),
        fix=SMOOTHED if smooth else _usual_cause(values, key.classes),
    )


SMOOTHED = (
    "most pixels are black or white, and some are grey: the mask was drawn or resized with smooth borders; export it "
    "again without (no antialiasing, nearest neighbour)"
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
            "if every object has its own number and 0 is the background, convert them into masks of classes: "
            f"underpaint convert DATA OUT --to masks --instances {thing!r}, and replace masks/ by OUT"
        )
    return "add the missing classes to classes.txt in the order of their numbers, or remap the mask"


def _luminance(colour: Colour) -> int:
    """The grey value that Pillow computes for a colour (ITU-R 601 weights in 16-bit fixed point)."""
    return (colour[0] * 19595 + colour[1] * 38470 + colour[2] * 7471 + 0x8000) >> 16


def voc_palette(count: int) -> tuple[Colour, ...]:
    """PASCAL VOC's colours of the classes 0 to ``count`` - 1: the bits of the number go to R, G and B in turn."""
    return tuple((_channel(index, 0), _channel(index, 1), _channel(index, 2)) for index in range(count))


def _channel(index: int, bit: int) -> int:
    """The bits ``bit``, ``bit + 3`` and ``bit + 6`` of a class number, as the three highest bits of a channel."""
    return sum((index >> (bit + 3 * step) & 1) << (7 - step) for step in range(3))
